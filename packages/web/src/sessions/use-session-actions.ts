import { useAgentClient } from '@tendon/client/react';
import type { Session } from '@tendon/protocol';
import { useMemo } from 'react';
import { useLocation } from 'wouter';
import { showToast } from '../app/toasts.tsx';
import { hideSession, showSession } from './hidden-sessions.ts';

export interface SessionActions {
  /** Answers an error to show, or undefined. */
  rename(title: string): Promise<string | undefined>;
  setArchived(isArchived: boolean): void;
  /** Deletes after a time in which it can be undone. */
  remove(): void;
}

export function useSessionActions(session: Session): SessionActions {
  const client = useAgentClient();
  const [location, navigate] = useLocation();
  return useMemo(() => {
    const sessionId = session.id;
    const leave = () => {
      if (location === `/s/${sessionId}`) navigate('/');
    };
    const archive = async (archived: boolean) => {
      const result = await client.request('session:update', { sessionId, archived });
      if (!result.ok) showToast({ text: result.error.message });
      return result.ok;
    };
    return {
      async rename(title) {
        const result = await client.request('session:update', { sessionId, title });
        return result.ok ? undefined : result.error.message;
      },
      setArchived(isArchived) {
        void archive(isArchived).then((isDone) => {
          if (!isDone) return;
          if (isArchived) leave();
          showToast({ text: isArchived ? 'Session archived' : 'Session is back in the list', undo: () => void archive(!isArchived) });
        });
      },
      remove() {
        hideSession(sessionId);
        leave();
        const finish = async () => {
          const result = await client.request('session:delete', { sessionId });
          if (result.ok) return;
          showSession(sessionId);
          showToast({ text: `Not deleted: ${result.error.message}` });
        };
        showToast({ text: `“${session.title}” deleted`, undo: () => showSession(sessionId), onDone: () => void finish() });
      },
    };
  }, [client, session.id, session.title, location, navigate]);
}
