/** What is used of `localStorage`. Any of it may throw: storage can be switched off. */
export type PersonStorage = Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>;

const DRAFT = 'tendon:draft:';
const UNSENT = 'tendon.outbox.';
const PERSON = 'tendon:person';

/** What a person typed and this browser still holds (SPEC U39). The theme and the key of a relay are the browser's, not the person's. */
export interface LeftBehind {
  readonly drafts: number;
  readonly unsent: number;
}

export function leftBehind(storage: PersonStorage): LeftBehind {
  const keys = keysOf(storage);
  return { drafts: keys.filter((key) => key.startsWith(DRAFT)).length, unsent: keys.filter((key) => key.startsWith(UNSENT)).length };
}

export function forgetPerson(storage: PersonStorage): void {
  try {
    for (const key of keysOf(storage)) if (key === PERSON || key.startsWith(DRAFT) || key.startsWith(UNSENT)) storage.removeItem(key);
  } catch {
    // Nothing was kept either.
  }
}

/** `id`: of the person who is signed in. */
export function rememberPerson(storage: PersonStorage, id: string): void {
  try {
    storage.setItem(PERSON, id);
  } catch {
    // Nothing else is kept there either.
  }
}

/**
 * Removes what another person left in this browser, before anything shows or sends it. `whoIsHere` is asked only where there is something; it gives
 * the id of the person who is signed in, or undefined where nobody can say, and then all stays as it is.
 */
export async function forgetOthers(storage: PersonStorage, whoIsHere: () => Promise<string | undefined>): Promise<void> {
  const { drafts, unsent } = leftBehind(storage);
  if (drafts + unsent === 0) return;
  try {
    const before = storage.getItem(PERSON);
    const here = before === null ? undefined : await whoIsHere();
    if (here !== undefined && here !== before) forgetPerson(storage);
  } catch {
    // Storage that is switched off holds nothing of anybody.
  }
}

function keysOf(storage: PersonStorage): string[] {
  try {
    return Array.from({ length: storage.length }, (_, index) => storage.key(index)).filter((key) => key !== null);
  } catch {
    return [];
  }
}
