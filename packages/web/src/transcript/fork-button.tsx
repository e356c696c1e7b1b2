import { useAgentClient } from '@tendon/client/react';
import type { Message } from '@tendon/protocol';
import { GitFork, Pencil } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useLocation } from 'wouter';
import { composerFocus } from '../app/composer-focus.ts';
import { showToast } from '../app/toasts.tsx';
import { saveDraft } from '../composer/drafts.ts';
import { IconButton } from '../ui/button.tsx';
import { messageText } from './transcript-rows.ts';

/** Opens a session with the history up to this message: behind one of the agent, before one of the person, whose text is then in the composer. */
export function ForkButton({ message, className }: { message: Message; className?: string }): ReactNode {
  const client = useAgentClient();
  const [, navigate] = useLocation();
  const [isForking, setForking] = useState(false);
  const isOwn = message.role === 'user';
  const label = isOwn ? 'Edit and fork' : 'Fork from here';

  const fork = async () => {
    if (isForking) return;
    setForking(true);
    const result = await client.request('session:fork', { sessionId: message.sessionId, messageId: message.id });
    setForking(false);
    if (!result.ok) {
      showToast({ text: `Not forked: ${result.error.message}` });
      return;
    }
    const { id } = result.data.session;
    if (isOwn) saveDraft(localStorage, id, messageText(message));
    composerFocus.focusNext();
    navigate(`/s/${id}`);
  };
  return (
    <IconButton label={isForking ? 'Forking…' : label} aria-busy={isForking} className={className} onClick={() => void fork()}>
      {isOwn ? <Pencil className={isForking ? 'animate-breathe' : undefined} /> : <GitFork className={isForking ? 'animate-breathe' : undefined} />}
    </IconButton>
  );
}
