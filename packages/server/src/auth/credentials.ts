import { createHash, timingSafeEqual } from 'node:crypto';

/** Fills a buffer of the given size with random bytes; `crypto.randomBytes` outside of tests. */
export type RandomBytes = (size: number) => Buffer;

/** What keys that are made here begin with. */
export const KEY_MARK = 'tnd_';

/** A new API key: `tnd_` and 256 random bits in base64url, 47 characters in all. */
export function newApiKey(random: RandomBytes): string {
  return `${KEY_MARK}${random(32).toString('base64url')}`;
}

/** A new secret for a link that signs in, or for a machine that waits to be paired: 256 random bits, base64url. */
export function newSecret(random: RandomBytes): string {
  return random(32).toString('base64url');
}

const SESSION_TOKEN_MARK = 'tns_';

/** A new session token: `tns_` and 256 random bits in base64url. */
export function newSessionToken(random: RandomBytes): string {
  return `${SESSION_TOKEN_MARK}${random(32).toString('base64url')}`;
}

export function looksLikeSessionToken(token: string): boolean {
  return token.startsWith(SESSION_TOKEN_MARK);
}

/** Letters that are hard to mistake for one another and spell no word (RFC 8628, section 6.1). */
const USER_CODE_LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';

/** What a person types to pair a machine: eight of twenty letters, as `BCDF-GHJK`. */
export function newUserCode(random: RandomBytes): string {
  let letters = '';
  while (letters.length < 8) {
    // Bytes over the last whole multiple would make some letters likelier than others.
    for (const byte of random(16)) if (byte < 240 && letters.length < 8) letters += USER_CODE_LETTERS[byte % 20];
  }
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** The code that somebody typed, whatever its case, spaces and dashes; undefined when it cannot be one. */
export function readUserCode(typed: string): string | undefined {
  const letters = typed.toUpperCase().replace(/[\s-]/g, '');
  return /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/.test(letters) ? `${letters.slice(0, 4)}-${letters.slice(4)}` : undefined;
}

/** Letters and digits of which none is taken for another when it is copied by hand. */
const RECOVERY_LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';

/** A code for who has lost their app: 24 of 32 letters, which is 120 bits, as `ABCD-EFGH-JKLM-NPQR-STUV-WXYZ`. */
export function newRecoveryCode(random: RandomBytes): string {
  return inGroups([...random(24)].map((byte) => RECOVERY_LETTERS[byte % 32]).join(''));
}

/** The recovery code that somebody typed, whatever its case, spaces and dashes; undefined when it cannot be one. */
export function readRecoveryCode(typed: string): string | undefined {
  const letters = typed.toUpperCase().replace(/[\s-]/g, '');
  return /^[A-HJ-NP-Z2-9]{24}$/.test(letters) ? inGroups(letters) : undefined;
}

function inGroups(letters: string): string {
  return letters.replace(/.{4}(?=.)/g, '$&-');
}

/** What is stored of a credential: its SHA-256, base64url. Fast on purpose: credentials are random and long, there is nothing to guess. */
export function hashCredential(credential: string): string {
  return createHash('sha256').update(credential, 'utf8').digest('base64url');
}

/** The part of a key that may be shown: 4 of its 43 random characters, or 2 of a key that somebody else made. */
export function displayPrefix(key: string): string {
  return key.startsWith(KEY_MARK) ? key.slice(0, KEY_MARK.length + 4) : key.slice(0, 2);
}

/** Compares in time that does not depend on where they differ. */
export function sameCredential(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

/** Three base64url parts: header, claims, signature (RFC 7515, section 3.1). */
export function looksLikeJwt(token: string): boolean {
  return /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(token);
}
