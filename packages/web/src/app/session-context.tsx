import type { SessionClient, SessionView } from '@tendon/client';
import { useAgentClient } from '@tendon/client/react';
import { createContext, type ReactNode, useCallback, useContext, useEffect, useState, useSyncExternalStore } from 'react';

const SessionContext = createContext<SessionClient | undefined>(undefined);

/** Follows one session while mounted. Mount it with the session's id as its key. */
export function SessionProvider({ id, children }: { id: string; children: ReactNode }): ReactNode {
  const client = useAgentClient();
  const [session, setSession] = useState<SessionClient>();
  useEffect(() => {
    const opened = client.open(id);
    setSession(opened);
    return () => {
      setSession(undefined);
      opened.release();
    };
  }, [client, id]);
  return session ? <SessionContext value={session}>{children}</SessionContext> : null;
}

export function useSession(): SessionClient {
  const session = useContext(SessionContext);
  if (!session) throw new Error('useSession needs a SessionProvider above it');
  return session;
}

/** One part of the session's view. Renders again only when that part is another: `select` must answer stable values. */
export function useView<T>(select: (view: SessionView) => T): T {
  const session = useSession();
  const read = () => select(session.view.get());
  const subscribe = useCallback((listener: () => void) => session.view.subscribe(listener), [session]);
  return useSyncExternalStore(subscribe, read, read);
}
