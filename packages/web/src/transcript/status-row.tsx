import { useAgentClient, useStore } from '@tendon/client/react';
import type { Fault } from '@tendon/protocol';
import { CloudOff, LoaderCircle } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useSession, useView } from '../app/session-context.tsx';
import { sessionMark } from '../sessions/session-mark.ts';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';

/** The end of the transcript: what the agent is doing now, or why it no longer is. */
export function StatusRow(): ReactNode {
  const session = useView((view) => view.session);
  const hasLive = useView((view) => (view.live?.parts.length ?? 0) > 0);
  const gateways = useStore(useAgentClient().gateways);
  if (!session) return null;
  const machine = gateways.find((gateway) => gateway.id === session.gatewayId);
  const mark = sessionMark(session, gateways);
  if (mark === 'stopping') {
    const away = machine && !machine.online ? ` ${machine.name} is offline: what it started is stopped when it is back.` : '';
    return <Doing>{`Stopping…${away}`}</Doing>;
  }
  if (session.status === 'idle') {
    return session.lastError ? <TurnError error={session.lastError} /> : null;
  }
  if (mark === 'waiting_for_machine') return <Away name={machine?.name ?? 'its machine'} />;
  if (session.status === 'running' && !hasLive) return <Doing>Thinking</Doing>;
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

function Away({ name }: { name: string }): ReactNode {
  return (
    <p className="flex items-center gap-2 text-sm text-warn">
      <CloudOff aria-hidden className="size-4 shrink-0" />
      {name} is offline. This goes on when it is back; nothing is lost.
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
