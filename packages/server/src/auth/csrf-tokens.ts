import { createHmac, hkdfSync } from 'node:crypto';
import { type RandomBytes, sameCredential } from './credentials.ts';

/**
 * Double-submit tokens (OWASP, "signed double-submit cookie"): a page reads the token from its cookie and sends it as a header, which
 * no other site's page can do. It is signed for one browser session, so that a cookie planted by a neighbouring host is worth nothing.
 */
export class CsrfTokens {
  readonly #key: Buffer;
  readonly #random: RandomBytes;

  constructor(secretKey: Buffer, random: RandomBytes) {
    this.#key = Buffer.from(hkdfSync('sha256', secretKey, '', 'tendon csrf tokens', 32));
    this.#random = random;
  }

  create(sessionId: string): string {
    const nonce = this.#random(16).toString('base64url');
    return `${nonce}.${this.#sign(nonce, sessionId)}`;
  }

  /** Whether this token was made for this browser session. */
  isOf(token: string, sessionId: string): boolean {
    const [nonce = '', signature = '', ...more] = token.split('.');
    return more.length === 0 && sameCredential(signature, this.#sign(nonce, sessionId));
  }

  /** Whether header and cookie hold the same token, and it is this browser session's. */
  isDoubled(header: string | readonly string[] | undefined, cookie: string | undefined, sessionId: string): boolean {
    return typeof header === 'string' && cookie !== undefined && sameCredential(header, cookie) && this.isOf(header, sessionId);
  }

  #sign(nonce: string, sessionId: string): string {
    return createHmac('sha256', this.#key).update(`${sessionId}.${nonce}`).digest('base64url');
  }
}
