import { OUTBOX_PREFIX, type WebStorage } from '@tendon/client';
import { DRAFT_PREFIX } from '../composer/drafts.ts';

const PERSON = 'tendon:person';

/** What a person typed and this browser still holds (SPEC U39). Any use of its storage may throw: it can be switched off. The theme and the key of a relay are the browser's, not the person's. */
export interface LeftBehind {
  readonly drafts: number;
  readonly unsent: number;
}

export function leftBehind(storage: WebStorage): LeftBehind {
  const keys = keysOf(storage);
  return { drafts: keys.filter((key) => key.startsWith(DRAFT_PREFIX)).length, unsent: keys.filter((key) => key.startsWith(OUTBOX_PREFIX)).length };
}

export function forgetPerson(storage: WebStorage): void {
  try {
    for (const key of keysOf(storage)) if (key === PERSON || key.startsWith(DRAFT_PREFIX) || key.startsWith(OUTBOX_PREFIX)) storage.removeItem(key);
  } catch {
    // Nothing was kept either.
  }
}

/**
 * `id`: of the person who is signed in. True when it was another one until now, as where somebody signed in beside a page that stayed open: then
 * what that one left is removed, and the page has to begin anew.
 */
export function rememberPerson(storage: WebStorage, id: string): boolean {
  try {
    const before = storage.getItem(PERSON);
    const isAnother = before !== null && before !== id;
    if (isAnother) forgetPerson(storage);
    storage.setItem(PERSON, id);
    return isAnother;
  } catch {
    // Nothing else is kept there either.
    return false;
  }
}

/**
 * Removes what another person left in this browser, before anything shows or sends it. `whoIsHere` is asked only where there is something; it gives
 * the id of the person who is signed in, or undefined where nobody can say, and then all stays as it is.
 */
export async function forgetOthers(storage: WebStorage, whoIsHere: () => Promise<string | undefined>): Promise<void> {
  const { drafts, unsent } = leftBehind(storage);
  try {
    // What is typed from now on is that of who is here.
    if (drafts + unsent === 0) return storage.removeItem(PERSON);
    const before = storage.getItem(PERSON);
    const here = before === null ? undefined : await whoIsHere();
    if (here !== undefined && here !== before) forgetPerson(storage);
  } catch {
    // Storage that is switched off holds nothing of anybody.
  }
}

function keysOf(storage: WebStorage): string[] {
  try {
    return Array.from({ length: storage.length }, (_, index) => storage.key(index)).filter((key) => key !== null);
  } catch {
    return [];
  }
}
