import { useLayoutEffect, useRef } from 'react';
import { keyName } from './key-name.ts';

/** Keys must never act while a person types, nor under an open dialog or menu. */
function isElsewhere(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.closest('input, textarea, select, [role="dialog"], [role="menu"]') !== null;
}

export type KeyMap = Readonly<Record<string, () => void>>;

/** Runs what the map has for a key, wherever the focus is but in a text field. A key that is held down counts once. */
export function useKeys(keys: KeyMap): void {
  const latest = useRef(keys);
  // Before the paint: a key that a person sees offered must act.
  useLayoutEffect(() => {
    latest.current = keys;
  });
  useLayoutEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.repeat || event.defaultPrevented || isElsewhere(event.target)) return;
      const name = keyName(event);
      const action = name !== undefined && Object.hasOwn(latest.current, name) ? latest.current[name] : undefined;
      if (!action) return;
      event.preventDefault();
      action();
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, []);
}
