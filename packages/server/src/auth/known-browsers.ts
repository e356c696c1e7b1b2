import { createHmac, hkdfSync } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type RandomBytes, sameCredential } from './credentials.ts';
import { readCookie } from './people.ts';

/** As long as browsers keep a cookie (RFC 6265bis, section 5.5). */
const MAX_AGE_S = 400 * 24 * 3_600;
/** The one route that it goes to. */
const PATH = '/api/auth/sign-in';

export interface KnownBrowsersOptions {
  readonly secretKey: Buffer;
  readonly random: RandomBytes;
  readonly cookieName: () => string;
  readonly isSecure: () => boolean;
}

/** An account with a password, as it is stored now. */
export interface AccountWithPassword {
  readonly userId: string;
  readonly hash: string;
}

/**
 * Browsers in which somebody has signed in to an account before (A2). Each keeps a signed cookie for that account and the password of then:
 *
 *   signed in ──► known ── the password is changed / another account signs in there / 400 days ──► unknown
 *
 * It is no credential. With it the password is asked for all the same; wrong ones are counted for that browser alone, so that those of others do not
 * keep its person out. Nothing is stored.
 */
export class KnownBrowsers {
  readonly #key: Buffer;
  readonly #options: KnownBrowsersOptions;

  constructor(options: KnownBrowsersOptions) {
    this.#key = Buffer.from(hkdfSync('sha256', options.secretKey, '', 'tendon known browsers', 32));
    this.#options = options;
  }

  /** The `Set-Cookie` line that makes a browser known to this account. */
  cookieFor(account: AccountWithPassword): string {
    const { random, cookieName, isSecure } = this.#options;
    const nonce = random(16).toString('base64url');
    const attributes = `Path=${PATH}; HttpOnly; SameSite=Strict; Max-Age=${MAX_AGE_S}${isSecure() ? '; Secure' : ''}`;
    return `${cookieName()}=${nonce}.${this.#sign(nonce, account)}; ${attributes}`;
  }

  /** Whether it is worth asking for the account at all. */
  mayKnow(headers: IncomingHttpHeaders): boolean {
    return readCookie(headers, this.#options.cookieName()) !== undefined;
  }

  /** Which browser of this account it is; undefined when it is none. As long for an address that nobody has. */
  idOf(headers: IncomingHttpHeaders, account: AccountWithPassword | undefined): string | undefined {
    const [nonce = '', signature = ''] = readCookie(headers, this.#options.cookieName())?.split('.') ?? [];
    const isRight = sameCredential(signature, this.#sign(nonce, account ?? { userId: '', hash: '' }));
    return account !== undefined && isRight ? nonce : undefined;
  }

  #sign(nonce: string, { userId, hash }: AccountWithPassword): string {
    return createHmac('sha256', this.#key).update(`${nonce} ${userId} ${hash}`).digest('base64url');
  }
}
