import { APPROVAL_GUARD_MS, type GuardedCard, guardedCard, mayApprove } from '@tendon/client';
import { useEffect, useRef, useState } from 'react';

/** `isArmed` draws the buttons; `check()` is what decides, at the moment of the click. */
export function useApprovalGuard(key: string): { isArmed: boolean; check: () => boolean } {
  const card = useRef<GuardedCard>(undefined);
  const [armedKey, setArmedKey] = useState<string>();
  useEffect(() => {
    card.current = guardedCard(card.current, key, performance.now());
    const timer = setTimeout(() => setArmedKey(key), APPROVAL_GUARD_MS);
    return () => clearTimeout(timer);
  }, [key]);
  const check = () => card.current?.key === key && mayApprove(card.current, performance.now());
  return { isArmed: armedKey === key, check };
}
