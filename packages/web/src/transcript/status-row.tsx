import { useAgentClient, useStore } from '@tendon/client/react';
import type { Fault } from '@tendon/protocol';
import { CloudOff, LoaderCircle } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useSession, useView } from '../app/session-context.tsx';
import { isPersonAwaited } from '../approvals/waiting-calls.ts';
import { machinesAwaited } from '../tool-call/call-state.ts';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';

/** The end of the transcript: what the agent is doing now, or why it no longer is. */
export function StatusRow(): ReactNode {
  const session = useView((view) => view.session);
  const hasLive = useView((view) => (view.live?.parts.length ?? 0) > 0);
  const calls = useView((view) => view.calls);
  const gateways = useStore(useAgentClient().gateways);
  if (!session) return null;
  const away = machinesAwaited(Object.values(calls), gateways).map(({ name }) => name);
  const isOne = away.length === 1;
  const names = `${away.join(' and ')} ${isOne ? 'is' : 'are'} offline`;
  if (session.stopping) {
    const later = away.length > 0 ? ` ${names}: what was started there is stopped when ${isOne ? 'it is' : 'they are'} back.` : '';
    return <Doing>{`Stopping…${later}`}</Doing>;
  }
  if (session.status === 'idle') {
    return session.lastError ? <TurnError error={session.lastError} /> : null;
  }
  if (session.status === 'waiting_for_tools' && away.length > 0)
    return <Away>{`${names}. This goes on when ${isOne ? 'it is' : 'they are'} back; nothing is lost.`}</Away>;
  if (session.status === 'running' && !hasLive && !isPersonAwaited(calls)) return <Doing>Thinking</Doing>;
  return null;
}

function Doing({ children }: { children: string }): ReactNode {
  return (
    <p className="flex items-center gap-2 text-sm text-muted">
      <LoaderCircle aria-hidden className="size-4 shrink-0 animate-spin text-faint" />
      {children}
    </p>
  );
}

function Away({ children }: { children: string }): ReactNode {
  return (
    <p className="flex items-center gap-2 text-sm text-warn">
      <CloudOff aria-hidden className="size-4 shrink-0" />
      {children}
    </p>
  );
}

/** A failed turn leaves the session as it was: trying again starts from there. */
function TurnError({ error }: { error: Fault }): ReactNode {
  const session = useSession();
  const [isTrying, setTrying] = useState(false);
  const [refused, setRefused] = useState<Fault>();
  const tryAgain = async () => {
    setTrying(true);
    const result = await session.continue();
    setTrying(false);
    setRefused(result.ok ? undefined : result.error);
  };
  return (
    <Notice
      action={
        <Button size="sm" disabled={isTrying} onClick={() => void tryAgain()}>
          {isTrying ? 'Trying…' : 'Try again'}
        </Button>
      }
    >
      {(refused ?? error).message}
    </Notice>
  );
}
