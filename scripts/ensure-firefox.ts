import { findFirefox } from '@tendon/testing';
import { ensurePackage } from './ensure-package.ts';

/** Answers with what is missing, or undefined when there is a Firefox. */
export async function ensureFirefox(): Promise<string | undefined> {
  const byHand = 'no Firefox found. Install it (Debian: apt-get install firefox-esr)';
  return ensurePackage({ name: 'firefox-esr', isThere: () => findFirefox() !== undefined, byHand });
}
