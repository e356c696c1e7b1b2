import { createHash, randomBytes } from 'node:crypto';

const LINK_LIFETIME_MS = 15 * 60_000;
const SIGN_IN_LIFETIME_MS = 30 * 24 * 3_600_000;
/** More than whoever guesses can have made in the lifetime of a link. */
const MOST_LINKS = 200;
const MOST_SIGN_INS = 100;

/** What a browser has that signed in. */
export interface RelaySecrets {
  /** Goes with every request to this machine, and so to whatever listens on another port of it. */
  readonly cookie: string;
  /** Kept by the page, where its own origin alone reads it. */
  readonly pageKey: string;
}

interface SignedIn {
  readonly endsAt: number;
  readonly pageKeyHash: string;
}

export const PAGE_KEY_PREFIX = 'tdr_';

/**
 * Who may use the relay: whoever opens a link that stood in the terminal. Here it is kept in memory alone, so that when this process ends,
 * everybody is signed out.
 *
 *   link made ──opened──► used up, the browser has a cookie and its page a key ──30 days──► over
 *      └── 15 minutes ──► over
 */
export class RelaySignIn {
  readonly #now: () => number;
  /** When each ends, by hash. */
  readonly #links = new Map<string, number>();
  /** By hash of the cookie. */
  readonly #signIns = new Map<string, SignedIn>();

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The secret of a link that works once. */
  newLink(): string {
    const link = newSecret();
    keep(this.#links, { hash: hashOf(link), value: this.#now() + LINK_LIFETIME_MS, most: MOST_LINKS });
    return link;
  }

  /** Uses a link up. Undefined for a link that is none, or no longer. */
  open(link: string): RelaySecrets | undefined {
    const endsAt = this.#links.get(hashOf(link));
    this.#links.delete(hashOf(link));
    if (endsAt === undefined || this.#now() >= endsAt) return undefined;
    const secrets = { cookie: newSecret(), pageKey: `${PAGE_KEY_PREFIX}${newSecret()}` };
    const value = { endsAt: this.#now() + SIGN_IN_LIFETIME_MS, pageKeyHash: hashOf(secrets.pageKey) };
    keep(this.#signIns, { hash: hashOf(secrets.cookie), value, most: MOST_SIGN_INS });
    return secrets;
  }

  isSignedIn(cookie: string | undefined): boolean {
    return this.#signedIn(cookie) !== undefined;
  }

  /** Whether this is the key of the page in the browser that has this cookie. */
  isPageKey(cookie: string | undefined, pageKey: string | undefined): boolean {
    return pageKey !== undefined && this.#signedIn(cookie)?.pageKeyHash === hashOf(pageKey);
  }

  signOut(cookie: string): void {
    this.#signIns.delete(hashOf(cookie));
  }

  #signedIn(cookie: string | undefined): SignedIn | undefined {
    const found = cookie === undefined ? undefined : this.#signIns.get(hashOf(cookie));
    return found !== undefined && this.#now() < found.endsAt ? found : undefined;
  }
}

function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

function keep<Value>(book: Map<string, Value>, { hash, value, most }: { readonly hash: string; readonly value: Value; readonly most: number }): void {
  book.set(hash, value);
  const oldest = book.keys().next();
  if (book.size > most && !oldest.done) book.delete(oldest.value);
}

/** Looked up by hash, so that the time of a look-up tells nothing of the secret. */
function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
