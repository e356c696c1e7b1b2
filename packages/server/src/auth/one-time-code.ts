import { timingSafeEqual } from 'node:crypto';

const PERIOD_MS = 30_000;
const DIGITS = 6;
/** Clocks of telephones are a little wrong, and people type slowly: the code before and the one after count as well (RFC 6238, section 5.2). */
const NEIGHBOURS = [-1, 0, 1] as const;

/** What an app shows (RFC 6238: SHA-1, six digits, 30 seconds), by better-auth's own arithmetic; which period is told from the clock that is given. */
export async function codeAt(secret: Uint8Array, at: Date): Promise<string> {
  return codeOf(secret, periodAt(at));
}

/** The period whose code this is, of those that count now; undefined when it is none of them. All are made and compared, whichever fits. */
export async function periodOf(secret: Uint8Array, code: string, at: Date): Promise<number | undefined> {
  let found: number | undefined;
  for (const distance of NEIGHBOURS) {
    const period = periodAt(at) + distance;
    if (isSame(await codeOf(secret, period), code)) found = period;
  }
  return found;
}

/** What a camera reads from the picture: the key, whose it is, and for what. */
export async function keyUri(secret: Uint8Array, account: string): Promise<string> {
  const { createOTP } = await import('@better-auth/utils/otp');
  return createOTP(secret, { digits: DIGITS, period: PERIOD_MS / 1_000 }).url('Tendon', account);
}

function periodAt(at: Date): number {
  return Math.floor(at.getTime() / PERIOD_MS);
}

async function codeOf(secret: Uint8Array, period: number): Promise<string> {
  const { createOTP } = await import('@better-auth/utils/otp');
  return createOTP(secret, { digits: DIGITS }).hotp(period);
}

function isSame(right: string, given: string): boolean {
  const [a, b] = [Buffer.from(right), Buffer.alloc(right.length)];
  b.write(given);
  return timingSafeEqual(a, b) && given.length === right.length;
}
