/** Whether two JSON values are equal. Used to keep the identity of what a snapshot brings again unchanged. */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  return keys.every((key) => Object.hasOwn(right, key) && isSameValue(left[key], right[key]));
}

/** `next`, or `previous` when nothing in it is different. */
export function keepIdentity<T>(previous: T | undefined, next: T): T {
  return previous !== undefined && isSameValue(previous, next) ? previous : next;
}
