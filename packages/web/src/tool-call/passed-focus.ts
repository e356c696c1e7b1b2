import { type RefObject, useLayoutEffect } from 'react';

type Place = RefObject<HTMLElement | null>;

/** The call whose card had the focus when it was taken out of the page. */
let left: string | undefined;

/** A card that goes when its call is decided leaves the focus to what takes its place, so that it does not fall back to the beginning of the page. */
export function usePassesFocus(callId: string, card: Place): void {
  useLayoutEffect(() => {
    const element = card.current;
    return () => {
      left = element?.contains(document.activeElement) ? callId : undefined;
    };
  }, [callId, card]);
}

/** Takes the focus that the card before it has left, unless it is somewhere else by now. */
export function useTakesFocus(callId: string, place: Place): void {
  useLayoutEffect(() => {
    if (left !== callId) return;
    left = undefined;
    if (document.activeElement === document.body) place.current?.focus({ preventScroll: true });
  }, [callId, place]);
}
