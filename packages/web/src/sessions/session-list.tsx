import { useAgentClient, useStore } from '@tendon/client/react';
import { Search, SquarePen } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { useHiddenSessions } from './hidden-sessions.ts';
import { groupByDay, searchSessions } from './session-groups.ts';
import { SessionLink } from './session-link.tsx';
import { whereTitlesDiffer } from './title-parts.ts';

/** Every session, grouped by day, with its state; archived ones on demand. */
export function SessionList({ onNavigate }: { onNavigate: () => void }): ReactNode {
  const client = useAgentClient();
  const sessions = useStore(client.sessions);
  const hidden = useHiddenSessions();
  const [query, setQuery] = useState('');
  const [isArchive, setArchive] = useState(false);
  const [location] = useLocation();
  const shown = useMemo(
    () => searchSessions(sessions.items, query).filter((session) => !hidden.has(session.id) && session.archived === isArchive),
    [sessions.items, query, hidden, isArchive],
  );
  const differing = useMemo(() => whereTitlesDiffer(shown), [shown]);
  const groups = groupByDay(shown, { now: new Date() });
  const hasArchived = sessions.items.some((session) => session.archived);
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="space-y-2 px-3 pb-2">
        <Link
          href="/"
          onClick={onNavigate}
          className="flex h-9 items-center gap-2.5 rounded-lg border border-line-strong bg-raised px-3 text-sm font-medium shadow-xs hover:bg-hover pointer-coarse:h-11 [&_svg]:size-4 [&_svg]:text-muted"
        >
          <SquarePen aria-hidden /> New session
        </Link>
        <label className="flex h-8 items-center gap-2.5 rounded-lg px-3 text-faint outline-accent focus-within:outline-2 hover:bg-hover pointer-coarse:h-10">
          <Search aria-hidden className="size-4 shrink-0" />
          <input
            type="search"
            aria-label="Search sessions"
            placeholder="Search"
            value={query}
            onChange={(event) => setQuery(event.target.value)}
            className="min-w-0 flex-1 bg-transparent text-sm text-text outline-none"
          />
        </label>
      </div>
      <nav aria-label="Sessions" className="scroll-quiet min-h-0 flex-1 overflow-y-auto px-2 pb-4">
        {sessions.status === 'failed' && <Notice>{sessions.error?.message ?? 'The list of sessions did not come.'}</Notice>}
        {sessions.status === 'loading' && sessions.items.length === 0 && <ListSkeleton />}
        {sessions.status === 'ready' && shown.length === 0 && (
          <p className="px-3 py-6 text-center text-sm text-faint">
            {query.trim() === '' ? (isArchive ? 'Nothing is archived.' : 'No sessions yet.') : nothingFound(sessions.hasMore)}
          </p>
        )}
        {groups.map((group) => (
          <section key={group.label} aria-label={group.label}>
            <h2 className="px-2.5 pt-4 pb-1 text-xs font-medium text-faint">{group.label}</h2>
            <ul>
              {group.sessions.map((session) => (
                <SessionLink
                  key={session.id}
                  session={session}
                  differsAt={differing.get(session.id)}
                  isCurrent={location === `/s/${session.id}`}
                  onNavigate={onNavigate}
                />
              ))}
            </ul>
          </section>
        ))}
        <div className="flex flex-col items-start gap-1 px-1 pt-3">
          {sessions.hasMore && (
            <Button variant="ghost" size="sm" onClick={() => void client.loadMoreSessions()}>
              Load older sessions
            </Button>
          )}
          {(hasArchived || isArchive) && (
            <Button variant="ghost" size="sm" aria-pressed={isArchive} onClick={() => setArchive(!isArchive)}>
              {isArchive ? 'Back to sessions' : 'Archived sessions'}
            </Button>
          )}
        </div>
      </nav>
    </div>
  );
}

function nothingFound(hasMore: boolean): string {
  return `No session has these words in its title or folder.${hasMore ? ' Older ones are not loaded yet.' : ''}`;
}

function ListSkeleton(): ReactNode {
  return (
    <div aria-hidden className="space-y-2 px-2.5 pt-4">
      {[70, 52, 84, 60].map((width) => (
        <div key={width} className="h-4 animate-breathe rounded bg-hover" style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}
