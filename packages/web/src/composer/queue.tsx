import type { Message, ProtocolError } from '@tendon/protocol';
import { Pencil, Play, X } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { useSession, useView } from '../app/session-context.tsx';
import { messageText, queuedMessages } from '../transcript/transcript-rows.ts';
import { Button, IconButton } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';

/** Messages that wait for their turn. Editing takes one out and puts it back into the composer. */
export function Queue({ onEdit }: { onEdit: (text: string) => void }): ReactNode {
  const session = useSession();
  const messages = useView((view) => view.messages);
  const isHeld = useView((view) => view.session?.held ?? false);
  const queued = useMemo(() => queuedMessages(messages), [messages]);
  const [error, setError] = useState<ProtocolError>();
  if (queued.length === 0) return null;

  const remove = async (message: Message, andThen?: () => void) => {
    const result = await session.cancelMessage(message.id);
    setError(result.ok ? undefined : result.error);
    if (result.ok) andThen?.();
  };
  const goOn = async () => {
    const result = await session.continue();
    setError(result.ok ? undefined : result.error);
  };
  return (
    <section aria-label="Queued messages" className="mx-3 rounded-t-xl border border-b-0 border-line bg-panel px-1.5 pt-1.5 pb-1">
      <div className="flex min-h-7 items-center justify-between gap-2 px-2 text-xs text-muted">
        <span>{isHeld ? 'Held since you stopped. Nothing of this is sent by itself.' : 'Read when the agent is done'}</span>
        {isHeld && (
          <Button size="sm" onClick={() => void goOn()}>
            <Play aria-hidden className="size-3" /> Continue
          </Button>
        )}
      </div>
      <ol className="scroll-quiet max-h-40 overflow-y-auto">
        {queued.map((message) => (
          <li key={message.id} className="flex items-center gap-1 rounded-lg ps-2 hover:bg-hover">
            <span dir="auto" className="min-w-0 flex-1 truncate text-sm">
              {messageText(message)}
            </span>
            <IconButton label="Edit" className="size-7" onClick={() => void remove(message, () => onEdit(messageText(message)))}>
              <Pencil />
            </IconButton>
            <IconButton label="Remove" className="size-7" onClick={() => void remove(message)}>
              <X />
            </IconButton>
          </li>
        ))}
      </ol>
      {error && <Notice>{error.message}</Notice>}
    </section>
  );
}
