import type { Call } from '@tendon/protocol';
import { Archive, Trash2 } from 'lucide-react';
import { type ReactNode, Suspense, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Link } from 'wouter';
import { ApprovalBar } from '../approvals/approval-bar.tsx';
import { callsAwaitingAnswer, callsAwaitingApproval } from '../approvals/waiting-calls.ts';
import type { ComposerHandle } from '../composer/composer.tsx';
import { SessionComposer } from '../composer/session-composer.tsx';
import { lazyPart } from '../connection/lazy-part.ts';
import { WatchHeaderButton } from '../live-browser/watch-buttons.tsx';
import { WatchContext } from '../live-browser/watch-context.ts';
import { Transcript, type TranscriptHandle } from '../transcript/transcript.tsx';
import { EmptyState, Notice } from '../ui/notice.tsx';
import { PageHeader } from '../ui/page-header.tsx';
import { composerFocus } from './composer-focus.ts';
import { SessionProvider, useSession, useView } from './session-context.tsx';

const BrowserPanel = lazyPart(async () => ({ default: (await import('../live-browser/browser-panel.tsx')).BrowserPanel }));

export function SessionPage({ id }: { id: string }): ReactNode {
  return (
    <SessionProvider key={id} id={id}>
      <SessionView />
    </SessionProvider>
  );
}

function SessionView(): ReactNode {
  const phase = useView((view) => view.phase);
  const title = useView((view) => view.session?.title);
  const isArchived = useView((view) => view.session?.archived ?? false);
  const [isOpen, setOpen] = useState(false);
  const toggle = useCallback(() => setOpen((was) => !was), []);
  const watching = useMemo(() => ({ isOpen, toggle }), [isOpen, toggle]);
  return (
    <WatchContext value={watching}>
      <PageHeader title={<bdi>{title ?? (phase === 'gone' ? 'Gone' : 'Loading…')}</bdi>}>
        {isArchived && (
          <span className="flex items-center gap-1.5 text-xs text-faint">
            <Archive aria-hidden className="size-3.5" /> Archived
          </span>
        )}
        {phase !== 'gone' && <WatchHeaderButton />}
      </PageHeader>
      {phase === 'gone' ? (
        <GoneState />
      ) : (
        <div className="flex min-h-0 flex-1 flex-col xl:flex-row-reverse">
          {isOpen && (
            <Suspense>
              <BrowserPanel onClose={toggle} />
            </Suspense>
          )}
          <OpenSession />
        </div>
      )}
    </WatchContext>
  );
}

function OpenSession(): ReactNode {
  const session = useSession();
  const transcript = useRef<TranscriptHandle>(null);
  const composer = useRef<ComposerHandle>(null);
  const isLoading = useView((view) => view.phase === 'loading');
  const error = useView((view) => view.error);
  useEffect(() => composerFocus.register(() => composer.current?.focus()), []);
  const jump = (call: Call) => transcript.current?.showCall(call);
  const leaveComposer = () => {
    const calls = session.view.get().calls;
    const waiting = callsAwaitingApproval(calls)[0] ?? callsAwaitingAnswer(calls)[0];
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    if (waiting) jump(waiting);
  };
  return (
    <main className="flex min-h-0 min-w-0 flex-1 flex-col">
      {isLoading ? <TranscriptSkeleton /> : <Transcript ref={transcript} />}
      <div className="mx-auto w-full max-w-3xl shrink-0 px-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] md:px-6 md:pb-4">
        {error && (
          <div className="mb-2">
            <Notice>{error.message}</Notice>
          </div>
        )}
        <ApprovalBar onJump={jump} />
        <SessionComposer ref={composer} onLeave={leaveComposer} />
      </div>
    </main>
  );
}

function TranscriptSkeleton(): ReactNode {
  return (
    <div aria-hidden className="mx-auto w-full max-w-3xl flex-1 animate-breathe space-y-6 px-6 py-8">
      <div className="ms-auto h-11 w-2/5 rounded-2xl bg-bubble" />
      <div className="space-y-2.5">
        <div className="h-4 w-11/12 rounded bg-hover" />
        <div className="h-4 w-4/5 rounded bg-hover" />
        <div className="h-4 w-3/5 rounded bg-hover" />
      </div>
      <div className="h-9 rounded-xl bg-panel" />
    </div>
  );
}

function GoneState(): ReactNode {
  return (
    <main className="flex-1">
      <EmptyState icon={<Trash2 />} title="This session is gone">
        <p>It was deleted, or it belongs to someone else.</p>
        <Link href="/" className="text-accent-ink underline underline-offset-2">
          Start a new one
        </Link>
      </EmptyState>
    </main>
  );
}
