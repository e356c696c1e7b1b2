import { spawnSync } from 'node:child_process';
import { ensureBrowser } from './ensure-browser.ts';
import { ensurePackage } from './ensure-package.ts';

/** Answers with what is missing, or undefined when there is a browser, and a display to show it on. */
export async function ensureDisplay(): Promise<string | undefined> {
  const isThere = () => spawnSync('Xvfb', ['-help']).error === undefined;
  return (await ensureBrowser()) ?? ensurePackage({ name: 'xvfb', isThere, byHand: 'no Xvfb found. Install it (Debian: apt-get install xvfb)' });
}
