import { useSyncExternalStore } from 'react';

/** Sessions whose deletion can still be undone: out of sight, not yet gone. */
let hidden: ReadonlySet<string> = new Set();
const listeners = new Set<() => void>();

export function hideSession(id: string): void {
  change(new Set([...hidden, id]));
}

export function showSession(id: string): void {
  change(new Set([...hidden].filter((other) => other !== id)));
}

export function useHiddenSessions(): ReadonlySet<string> {
  return useSyncExternalStore(subscribe, () => hidden);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function change(next: ReadonlySet<string>): void {
  hidden = next;
  for (const listener of listeners) listener();
}
