import { createHash, randomBytes } from 'node:crypto';

/** 256 random bits in base64url, behind what says what it is. */
export function newSecret(prefix = ''): string {
  return `${prefix}${randomBytes(32).toString('base64url')}`;
}

/** What is kept of a secret, and looked up by, so that the time of a look-up tells nothing of it. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
