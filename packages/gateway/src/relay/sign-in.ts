import { createHash, randomBytes } from 'node:crypto';

const LINK_LIFETIME_MS = 15 * 60_000;
const SIGN_IN_LIFETIME_MS = 30 * 24 * 3_600_000;
const MOST_LINKS = 20;
const MOST_SIGN_INS = 100;

/**
 * Who may use the relay: whoever opens a link that stood in the terminal. Kept in memory alone, so that nothing on the disk opens the relay;
 * when its process ends, everybody is signed out.
 *
 *   link made ──opened──► used up, the browser has a cookie ──30 days──► over
 *      └── 15 minutes ──► over
 */
export class RelaySignIn {
  readonly #now: () => number;
  /** When each ends, by hash. */
  readonly #links = new Map<string, number>();
  readonly #signIns = new Map<string, number>();

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The secret of a link that works once. */
  newLink(): string {
    return this.#make(this.#links, { lifetimeMs: LINK_LIFETIME_MS, most: MOST_LINKS });
  }

  /** Uses a link up. The secret of the browser's cookie, or undefined for a link that is none, or no longer. */
  open(link: string): string | undefined {
    const hash = hashOf(link);
    const isGood = this.#holds(this.#links, hash);
    this.#links.delete(hash);
    return isGood ? this.#make(this.#signIns, { lifetimeMs: SIGN_IN_LIFETIME_MS, most: MOST_SIGN_INS }) : undefined;
  }

  isSignedIn(secret: string | undefined): boolean {
    return secret !== undefined && this.#holds(this.#signIns, hashOf(secret));
  }

  signOut(secret: string): void {
    this.#signIns.delete(hashOf(secret));
  }

  #make(book: Map<string, number>, { lifetimeMs, most }: { lifetimeMs: number; most: number }): string {
    const secret = randomBytes(32).toString('base64url');
    book.set(hashOf(secret), this.#now() + lifetimeMs);
    const oldest = book.keys().next();
    if (book.size > most && !oldest.done) book.delete(oldest.value);
    return secret;
  }

  #holds(book: Map<string, number>, hash: string): boolean {
    const endsAt = book.get(hash);
    return endsAt !== undefined && this.#now() < endsAt;
  }
}

/** Looked up by hash, so that the time of a look-up tells nothing of the secret. */
function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
