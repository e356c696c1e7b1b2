import { useAgentClient, useStore } from '@tendon/client/react';
import { useCallback, useEffect, useState } from 'react';
import type { Answer } from '../connection/use-answer.ts';
import { callApi } from './api.ts';

/** What `GET path` answers; asked again after a reconnection and by `reload`. The last good answer stays while a new one is under way. */
export function useApi<T>(path: string): { answer: Answer<T>; reload: () => void } {
  const isOnline = useStore(useAgentClient().connection).kind === 'online';
  const [answer, setAnswer] = useState<Answer<T>>({ status: 'loading' });
  const [round, setRound] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round is what asks again
  useEffect(() => {
    if (!isOnline) return undefined;
    let isCurrent = true;
    void callApi<T>('GET', path).then((result) => {
      if (!isCurrent) return;
      if (result.ok) setAnswer({ status: 'ready', data: result.data });
      else setAnswer((before) => (before.status === 'ready' ? before : { status: 'failed', error: result.error }));
    });
    return () => {
      isCurrent = false;
    };
  }, [path, isOnline, round]);
  return { answer, reload: useCallback(() => setRound((before) => before + 1), []) };
}
