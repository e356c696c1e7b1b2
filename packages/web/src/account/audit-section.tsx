import { type ReactNode, useState } from 'react';
import { Section } from '../access/section.tsx';
import { useApi } from '../access/use-api.ts';
import { Asked } from '../connection/asked.tsx';
import { Button } from '../ui/button.tsx';
import { dayAndTime } from '../ui/day.ts';
import { VisibleText } from '../ui/visible-code.tsx';
import { type AuditEntry, auditText } from './audit-words.ts';

const PAGE = 20;
const MOST = 100;

/** What was done about identity and trust, the newest first; `of` all people for owners. */
export function AuditSection({ of = 'me' }: { of?: 'me' | 'all' }): ReactNode {
  const [limit, setLimit] = useState(PAGE);
  const { answer, reload } = useApi<{ entries: readonly AuditEntry[]; hasMore: boolean }>(`/api/audit?of=${of}&limit=${limit}`);
  return (
    <Section
      id="activity"
      title="Activity"
      about={of === 'all' ? 'What everybody did about sign-in, keys, machines and people.' : 'What was done with your account, and from where.'}
    >
      <Asked answer={answer} reload={reload}>
        {({ entries, hasMore }) => (
          <>
            {entries.length === 0 && <p className="py-3 text-sm text-muted">Nothing yet.</p>}
            {entries.length > 0 && (
              <ul className="divide-y divide-line rounded-xl border border-line bg-raised">
                {entries.map((entry) => (
                  <li key={entry.id} className="flex flex-wrap justify-between gap-x-4 px-4 py-2 text-sm">
                    <span className="min-w-0 wrap-anywhere">
                      <bdi className="font-medium">{entry.person.name}</bdi>{' '}
                      <bdi>
                        <VisibleText text={auditText(entry)} />
                      </bdi>
                    </span>
                    <span className="flex gap-x-3 text-xs leading-5 text-faint">
                      <bdi className="font-mono">{entry.address}</bdi>
                      <time dateTime={entry.at}>{dayAndTime(entry.at)}</time>
                    </span>
                  </li>
                ))}
              </ul>
            )}
            {hasMore && limit < MOST && (
              <Button size="sm" onClick={() => setLimit(MOST)}>
                Show more
              </Button>
            )}
            {hasMore && limit >= MOST && <p className="text-xs text-faint">Older entries: GET /api/audit with before=&lt;id&gt;.</p>}
          </>
        )}
      </Asked>
    </Section>
  );
}
