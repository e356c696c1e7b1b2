import type { CallDecision } from '@tendon/client';
import type { Call, ProtocolError } from '@tendon/protocol';
import { useCallback, useState } from 'react';
import { useSession } from '../app/session-context.tsx';

export type DecideState = { readonly kind: 'open' } | { readonly kind: 'sending' } | { readonly kind: 'refused'; readonly error: ProtocolError };

/** Sends one decision at a time. The answer is the call's new state, which comes as an event to every device. */
export function useDecide(call: Call): { state: DecideState; decide: (decision: CallDecision) => void } {
  const session = useSession();
  const [state, setState] = useState<DecideState>({ kind: 'open' });
  const decide = useCallback(
    (decision: CallDecision) => {
      setState({ kind: 'sending' });
      void session.decide(call, decision).then((result) => setState(result.ok ? { kind: 'open' } : { kind: 'refused', error: result.error }));
    },
    [session, call],
  );
  return { state, decide };
}
