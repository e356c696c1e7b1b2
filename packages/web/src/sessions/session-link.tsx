import { useAgentClient, useStore } from '@tendon/client/react';
import { LIMITS, type Session } from '@tendon/protocol';
import clsx from 'clsx';
import { Archive, ArchiveRestore, CircleAlert, CloudOff, Ellipsis, LoaderCircle, MessageCircleQuestionMark, Pencil, Trash2 } from 'lucide-react';
import { Fragment, memo, type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { IconButton } from '../ui/button.tsx';
import { Menu } from '../ui/menu.tsx';
import { sessionFacts } from './session-facts.ts';
import { MARK_LABELS, type SessionMark, sessionMark } from './session-mark.ts';
import { useSessionActions } from './use-session-actions.ts';

interface SessionLinkProps {
  readonly session: Session;
  /** Where its title begins to differ from one that begins alike: from there on it is shown in any case. */
  readonly differsAt: number | undefined;
  readonly isCurrent: boolean;
  readonly onNavigate: () => void;
}

export const SessionLink = memo(function SessionLink({ session, differsAt = session.title.length, isCurrent, onNavigate }: SessionLinkProps): ReactNode {
  const gateways = useStore(useAgentClient().gateways);
  const actions = useSessionActions(session);
  const [isRenaming, setRenaming] = useState(false);
  const mark = sessionMark(session, gateways);
  const facts = sessionFacts(session, { now: new Date(), gateways });
  if (isRenaming) {
    return (
      <li>
        <RenameForm title={session.title} onRename={actions.rename} onDone={() => setRenaming(false)} />
      </li>
    );
  }
  return (
    <li className={clsx('group/session relative flex items-center rounded-lg', isCurrent ? 'bg-hover' : 'hover:bg-hover')}>
      <Link
        href={`/s/${session.id}`}
        onClick={onNavigate}
        aria-current={isCurrent ? 'page' : undefined}
        className="flex min-w-0 flex-1 items-center gap-2 rounded-lg px-2.5 py-1.5 group-focus-within/session:pe-9 group-hover/session:pe-9 pointer-coarse:min-h-11 pointer-coarse:pe-11"
      >
        <span className="min-w-0 flex-1" title={session.workspace === undefined ? session.title : `${session.title}\n${session.workspace}`}>
          <bdi className={clsx('flex text-sm whitespace-pre', mark === 'needs_you' && 'font-medium')}>
            <span className="truncate">{session.title.slice(0, differsAt)}</span>
            {differsAt < session.title.length && <span className="max-w-[70%] shrink-0 truncate">{session.title.slice(differsAt)}</span>}
          </bdi>
          <span className="block truncate text-xs text-faint tabular-nums">
            {facts.map((fact, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a machine may be named as its folder is
              <Fragment key={index}>
                {index > 0 && ' · '}
                <bdi>{fact}</bdi>
              </Fragment>
            ))}
          </span>
        </span>
        <MarkIcon mark={mark} count={session.waiting.approvals + session.waiting.answers} />
      </Link>
      <Menu
        align="end"
        trigger={
          <IconButton
            label={`More for ${session.title}`}
            className="absolute end-0.5 size-7 opacity-0 group-hover/session:opacity-100 focus-visible:opacity-100 data-[state=open]:opacity-100 pointer-coarse:opacity-100"
          >
            <Ellipsis />
          </IconButton>
        }
        entries={[
          // The menu gives the focus back as it closes: the field takes it after that.
          { kind: 'item', key: 'rename', text: 'Rename', icon: <Pencil />, onSelect: () => setTimeout(() => setRenaming(true)) },
          {
            kind: 'item',
            key: 'archive',
            text: session.archived ? 'Put back' : 'Archive',
            icon: session.archived ? <ArchiveRestore /> : <Archive />,
            onSelect: () => actions.setArchived(!session.archived),
          },
          { kind: 'line' },
          { kind: 'item', key: 'delete', text: 'Delete', icon: <Trash2 />, isDangerous: true, onSelect: actions.remove },
        ]}
      />
    </li>
  );
});

function MarkIcon({ mark, count }: { mark: SessionMark; count: number }): ReactNode {
  if (mark === 'quiet') return null;
  return (
    <span title={MARK_LABELS[mark]} className="flex shrink-0 items-center">
      <span className="sr-only">{MARK_LABELS[mark]}</span>
      {mark === 'needs_you' && (
        <span
          aria-hidden
          className="flex items-center gap-1 rounded-full bg-warn-soft px-1.5 text-[0.6875rem] leading-4.5 font-medium text-warn tabular-nums ring-1 ring-warn-line"
        >
          <MessageCircleQuestionMark className="size-3" /> {count}
        </span>
      )}
      {(mark === 'thinking' || mark === 'stopping') && <LoaderCircle aria-hidden className="size-3.5 animate-spin text-faint" />}
      {mark === 'waiting_for_machine' && <CloudOff aria-hidden className="size-3.5 text-warn" />}
      {mark === 'failed' && <CircleAlert aria-hidden className="size-3.5 text-bad" />}
    </span>
  );
}

interface RenameFormProps {
  readonly title: string;
  readonly onRename: (title: string) => Promise<string | undefined>;
  readonly onDone: () => void;
}

function RenameForm({ title, onRename, onDone }: RenameFormProps): ReactNode {
  const [text, setText] = useState(title);
  const [error, setError] = useState<string>();
  const save = async () => {
    const next = text.trim();
    if (next === '' || next === title) return onDone();
    const refused = await onRename(next);
    if (refused === undefined) onDone();
    else setError(refused);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <input
        // biome-ignore lint/a11y/noAutofocus: the person has just asked for this field
        autoFocus
        aria-label="Title"
        aria-invalid={error !== undefined}
        value={text}
        maxLength={LIMITS.titleLength}
        onFocus={(event) => event.target.select()}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => void save()}
        onKeyDown={(event) => event.key === 'Escape' && onDone()}
        className="h-12 w-full rounded-lg border border-accent bg-raised px-2.5 text-sm"
      />
      {error !== undefined && <p className="px-2.5 py-1 text-xs text-bad">{error}</p>}
    </form>
  );
}
