import { useAgentClient, useStore } from '@tendon/client/react';
import type { AgentData, AgentRequest, Fault } from '@tendon/protocol';
import { useCallback, useEffect, useState } from 'react';

/** The lists that are asked for, not pushed. */
type ListName = 'model:list' | 'rule:list';

export type Answer<T> = { readonly status: 'loading' } | { readonly status: 'ready'; readonly data: T } | { readonly status: 'failed'; readonly error: Fault };

/** Asks the server, and asks again after a reconnection. The last good answer stays while a new one is under way. */
export function useAnswer<Name extends ListName>(name: Name): { answer: Answer<AgentData<Name>>; reload: () => void } {
  const client = useAgentClient();
  const isOnline = useStore(client.connection).kind === 'online';
  const [answer, setAnswer] = useState<Answer<AgentData<Name>>>({ status: 'loading' });
  const [round, setRound] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round is what asks again
  useEffect(() => {
    if (!isOnline) return undefined;
    let isCurrent = true;
    void client.request(name, {} as AgentRequest<Name>).then((result) => {
      if (!isCurrent) return;
      if (result.ok) setAnswer({ status: 'ready', data: result.data });
      else setAnswer((before) => (before.status === 'ready' ? before : { status: 'failed', error: result.error }));
    });
    return () => {
      isCurrent = false;
    };
  }, [client, name, isOnline, round]);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  return { answer, reload };
}
