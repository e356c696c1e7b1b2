import { useAgentClient } from '@tendon/client/react';
import { LoaderCircle, Undo2 } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { useView } from '../app/session-context.tsx';
import { plural } from '../tool-call/call-title.ts';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { changesOfTurn } from './turn-changes.ts';

interface UndoTurnProps {
  readonly sessionId: string;
  readonly messageId: string;
  readonly callIds: readonly string[];
}

/** At the end of a turn that changed files: asks for them to be put back. What that would touch is shown, and confirmed, on the card that follows. */
export function UndoTurn({ sessionId, messageId, callIds }: UndoTurnProps): ReactNode {
  const client = useAgentClient();
  const calls = useView((view) => view.calls);
  const isIdle = useView((view) => view.session?.status === 'idle');
  const [isAsking, setAsking] = useState(false);
  const [refused, setRefused] = useState<string>();
  const changes = useMemo(() => changesOfTurn(callIds.flatMap((id) => calls[id] ?? [])), [callIds, calls]);
  if (!changes || !isIdle) return null;

  const ask = async () => {
    if (isAsking) return;
    setAsking(true);
    const result = await client.request('agent:undo', { sessionId, messageId });
    setAsking(false);
    setRefused(result.ok ? undefined : result.error.message);
  };
  return (
    <div className="mt-7 space-y-2">
      <Button size="sm" variant="ghost" aria-busy={isAsking} className="-ms-2.5" onClick={() => void ask()}>
        {isAsking ? <LoaderCircle aria-hidden className="size-3.5 animate-spin" /> : <Undo2 aria-hidden className="size-3.5" />}
        Undo file changes<span className="text-faint">{plural(changes.files.length, 'file')}</span>
      </Button>
      {refused !== undefined && <Notice>{refused}</Notice>}
    </div>
  );
}
