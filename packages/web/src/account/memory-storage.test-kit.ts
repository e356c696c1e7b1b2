import type { WebStorage } from '@tendon/client';

/** As a browser's storage, with `entries` in it. */
export function memoryStorage(entries: Readonly<Record<string, string>> = {}): WebStorage & { readonly entries: Map<string, string> } {
  const map = new Map(Object.entries(entries));
  return {
    entries: map,
    get length() {
      return map.size;
    },
    key: (index) => [...map.keys()][index] ?? null,
    getItem: (key) => map.get(key) ?? null,
    setItem: (key, value) => void map.set(key, value),
    removeItem: (key) => void map.delete(key),
  };
}
