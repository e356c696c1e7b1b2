import type { Store } from '@tendon/client';

let current = '';
const listeners = new Set<() => void>();

export const announcements: Store<string> = {
  get: () => current,
  subscribe(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

export function announce(text: string): void {
  current = text;
  for (const listener of listeners) listener();
}
