import { type ReactNode, useState } from 'react';
import { callApi } from '../access/api.ts';
import { Section } from '../access/section.tsx';
import { useAction } from '../access/use-action.ts';
import { useApi } from '../access/use-api.ts';
import { Asked } from '../connection/asked.tsx';
import { Button } from '../ui/button.tsx';
import { day } from '../ui/day.ts';
import { Notice } from '../ui/notice.tsx';
import { PageHeader } from '../ui/page-header.tsx';
import { SecretText } from '../ui/secret-text.tsx';
import { AuditSection } from './audit-section.tsx';
import { InvitationSection } from './invitation-section.tsx';

interface Person {
  readonly id: string;
  readonly name: string;
  readonly email?: string;
  readonly role: 'owner' | 'member';
  readonly lastSeenAt?: string;
  readonly disabledAt?: string;
  readonly isYou: boolean;
  readonly isFirst: boolean;
}

/** Everybody who has an account here, for owners (SPEC A9). */
export function PeoplePage(): ReactNode {
  const { answer, reload } = useApi<{ people: readonly Person[] }>('/api/people');
  return (
    <>
      <PageHeader title="People" />
      <main className="scroll-quiet min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-3xl space-y-10 p-4 md:p-6">
          <Asked answer={answer} reload={reload}>
            {({ people }) => (
              <>
                <Section id="people" title="People" about="Each has sessions, machines and rules of their own, which nobody else sees.">
                  <ul className="divide-y divide-line rounded-xl border border-line bg-raised">
                    {people.map((person) => (
                      <PersonRow key={person.id} person={person} onChanged={reload} />
                    ))}
                  </ul>
                </Section>
                <InvitationSection />
                <AuditSection of="all" />
              </>
            )}
          </Asked>
        </div>
      </main>
    </>
  );
}

function PersonRow({ person, onChanged }: { person: Person; onChanged: () => void }): ReactNode {
  const isOut = person.disabledAt !== undefined;
  return (
    <li className="space-y-2 px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-40">
          <p className="flex flex-wrap items-center gap-x-2 text-sm font-medium">
            <bdi className="wrap-anywhere">{person.name}</bdi>
            {person.isYou && <Tag>You</Tag>}
            {person.role === 'owner' && <Tag>Owner</Tag>}
            {isOut && <Tag>Kept out</Tag>}
          </p>
          <p className="flex flex-wrap gap-x-3 text-xs text-faint">
            <bdi className="wrap-anywhere">{person.email ?? 'No address'}</bdi>
            <span>{person.lastSeenAt === undefined ? 'Not signed in' : `Last seen ${day(person.lastSeenAt)}`}</span>
          </p>
        </div>
        {!person.isYou && !person.isFirst && <Changes person={person} isOut={isOut} onChanged={onChanged} />}
      </div>
    </li>
  );
}

function Changes({ person, isOut, onChanged }: { person: Person; isOut: boolean; onChanged: () => void }): ReactNode {
  const path = `/api/people/${person.id}`;
  const [asking, setAsking] = useState<'out' | 'factor'>();
  const [url, setUrl] = useState<string>();
  const role = useAction(() => callApi('POST', path, { role: person.role === 'owner' ? 'member' : 'owner' }), onChanged);
  const out = useAction(() => callApi('POST', path, { isKeptOut: !isOut }), onChanged);
  const link = useAction(
    () => callApi<{ url: string }>('POST', `${path}/sign-in-link`),
    (made) => setUrl(made.url),
  );
  const [isReset, setReset] = useState(false);
  const factor = useAction(
    () => callApi('DELETE', `${path}/second-factor`),
    () => {
      setAsking(undefined);
      setReset(true);
    },
  );
  const error = role.error ?? out.error ?? link.error ?? factor.error;
  return (
    <>
      <div className="flex flex-wrap items-center gap-2">
        {!isOut && asking === undefined && (
          <>
            <Button size="sm" disabled={role.isBusy} onClick={role.run}>
              {person.role === 'owner' ? 'Make a member' : 'Make an owner'}
            </Button>
            <Button size="sm" disabled={link.isBusy} onClick={link.run}>
              Sign-in link
            </Button>
            <Button size="sm" onClick={() => setAsking('factor')}>
              Reset second factor
            </Button>
            <Button size="sm" variant="danger" onClick={() => setAsking('out')}>
              Keep out
            </Button>
          </>
        )}
        {!isOut && asking === 'factor' && (
          <>
            <span className="text-xs text-muted">For one who lost their app and recovery codes: the password alone signs them in then. Be sure who asks.</span>
            <Button size="sm" variant="danger" disabled={factor.isBusy} onClick={factor.run}>
              Reset it
            </Button>
            <Button size="sm" onClick={() => setAsking(undefined)}>
              Cancel
            </Button>
          </>
        )}
        {!isOut && asking === 'out' && (
          <>
            <span className="text-xs text-muted">Their browsers and keys end for good.</span>
            <Button size="sm" variant="danger" disabled={out.isBusy} onClick={out.run}>
              Keep them out
            </Button>
            <Button size="sm" onClick={() => setAsking(undefined)}>
              Cancel
            </Button>
          </>
        )}
        {isOut && (
          <Button size="sm" disabled={out.isBusy} onClick={out.run}>
            Let in
          </Button>
        )}
      </div>
      {error !== undefined && <Notice>{error}</Notice>}
      {isReset && (
        <p role="status" className="w-full text-sm">
          No code is asked for after their password now. They can set it up again on their page Account.
        </p>
      )}
      {url !== undefined && (
        <div role="status" className="w-full space-y-2">
          <p className="text-sm">For one who cannot sign in: it works once, for a day, and lets them set a new password. Send it to them alone.</p>
          <SecretText text={url} label="Copy the sign-in link" />
        </div>
      )}
    </>
  );
}

function Tag({ children }: { children: string }): ReactNode {
  return <span className="rounded-md bg-bubble px-1.5 py-0.5 text-xs font-normal text-muted">{children}</span>;
}
