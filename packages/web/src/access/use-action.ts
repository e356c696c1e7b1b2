import { useState } from 'react';
import type { ApiAnswer, ApiFault } from './api.ts';

/** One request at a time, and what it said when it did not work. */
export function useAction<T>(
  act: () => Promise<ApiAnswer<T>>,
  onDone: (data: T) => void,
): { isBusy: boolean; error: string | undefined; fault: ApiFault | undefined; run: () => void } {
  const [isBusy, setBusy] = useState(false);
  const [fault, setFault] = useState<ApiFault>();
  const run = () => {
    setBusy(true);
    setFault(undefined);
    void act().then((result) => {
      setBusy(false);
      if (result.ok) onDone(result.data);
      else setFault(result.error);
    });
  };
  return { isBusy, error: fault?.message, fault, run };
}
