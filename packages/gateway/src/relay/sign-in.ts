import { hashOf, newSecret } from './secret.ts';

const LINK_LIFETIME_MS = 15 * 60_000;
const SIGN_IN_LIFETIME_MS = 30 * 24 * 3_600_000;
/** More than whoever guesses can have made in the lifetime of a link. */
const MOST_LINKS = 200;
const MOST_SIGN_INS = 100;

/** What a browser has that signed in. */
export interface RelaySecrets {
  /** Goes with every request to this machine, and so to whatever listens on another port of it. */
  readonly cookie: string;
  /** Kept by the page, where its own origin alone reads it. It asks for the tokens of sockets, and opens none. */
  readonly pageKey: string;
}

/** A sign-in, of which one object is there from its beginning to its end. */
export interface SignedIn {
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
    const secrets = { cookie: newSecret(), pageKey: newSecret(PAGE_KEY_PREFIX) };
    const value = { endsAt: this.#now() + SIGN_IN_LIFETIME_MS, pageKeyHash: hashOf(secrets.pageKey) };
    keep(this.#signIns, { hash: hashOf(secrets.cookie), value, most: MOST_SIGN_INS });
    return secrets;
  }

  /** The living sign-in of the browser that has this cookie. */
  find(cookie: string | undefined): SignedIn | undefined {
    const found = cookie === undefined ? undefined : this.#signIns.get(hashOf(cookie));
    return found !== undefined && this.#now() < found.endsAt ? found : undefined;
  }

  isSignedIn(cookie: string | undefined): boolean {
    return this.find(cookie) !== undefined;
  }

  /** Whether this is the key of the page in the browser that is signed in so. */
  isPageKey({ pageKeyHash }: SignedIn, pageKey: string): boolean {
    return pageKeyHash === hashOf(pageKey);
  }

  signOut(cookie: string): void {
    this.#signIns.delete(hashOf(cookie));
  }
}

function keep<Value>(book: Map<string, Value>, { hash, value, most }: { readonly hash: string; readonly value: Value; readonly most: number }): void {
  book.set(hash, value);
  const oldest = book.keys().next();
  if (book.size > most && !oldest.done) book.delete(oldest.value);
}
