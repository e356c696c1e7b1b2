import { findChromium } from '@tendon/testing';
import { ensurePackage } from './ensure-package.ts';

/** Answers with what is missing, or undefined when a browser is there. */
export async function ensureBrowser(): Promise<string | undefined> {
  if (process.env.CHROMIUM_PATH && findChromium() === undefined) return `CHROMIUM_PATH names ${process.env.CHROMIUM_PATH}, which cannot be run`;
  const byHand = 'no Chromium found. Install it (Debian: apt-get install chromium) or name one in CHROMIUM_PATH';
  return ensurePackage({ name: 'chromium', isThere: () => findChromium() !== undefined, byHand });
}
