import { useEffect, useState } from 'react';
import { callApi } from '../access/api.ts';

interface Ways {
  /** The machine that shows this page itself; no server says it. */
  readonly gatewayId?: string;
}

let asked: Promise<string | undefined> | undefined;

/** Which machine shows this page by its relay: undefined for none. Asked for once; when nobody answered, again by the next who wants to know. */
function ownMachine(): Promise<string | undefined> {
  asked ??= callApi<Ways>('GET', '/api/auth/ways').then((answer) => {
    if (answer.ok) return answer.data.gatewayId;
    asked = undefined;
    return undefined;
  });
  return asked;
}

/** `isKnown` is false while it is asked for, and while nobody wants to know. */
export function useOwnMachine(isWanted: boolean): { readonly isKnown: boolean; readonly id?: string | undefined } {
  const [known, setKnown] = useState<{ readonly id: string | undefined }>();
  useEffect(() => {
    if (!isWanted) return undefined;
    let isCurrent = true;
    void ownMachine().then((id) => isCurrent && setKnown({ id }));
    return () => {
      isCurrent = false;
    };
  }, [isWanted]);
  return known && isWanted ? { isKnown: true, ...known } : { isKnown: false };
}
