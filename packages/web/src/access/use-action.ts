import { useState } from 'react';
import type { ApiAnswer } from './api.ts';

/** One request at a time, and what it said when it did not work. */
export function useAction<T>(act: () => Promise<ApiAnswer<T>>, onDone: (data: T) => void): { isBusy: boolean; error: string | undefined; run: () => void } {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const run = () => {
    setBusy(true);
    setError(undefined);
    void act().then((result) => {
      setBusy(false);
      if (result.ok) onDone(result.data);
      else setError(result.error.message);
    });
  };
  return { isBusy, error, run };
}
