import { spawnSync } from 'node:child_process';
import { findChromium } from '@tendon/testing';

/** Installs Debian's Chromium where that needs nobody's help (root with apt-get). Answers with what is missing, or undefined when a browser is there. */
export function ensureBrowser(): string | undefined {
  if (findChromium() !== undefined) return undefined;
  if (process.env.CHROMIUM_PATH) return `CHROMIUM_PATH names ${process.env.CHROMIUM_PATH}, which cannot be run`;
  const byHand = 'no Chromium found. Install it (Debian: apt-get install chromium) or name one in CHROMIUM_PATH';
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return byHand;
  console.log('\ninstalling chromium with apt-get ...');
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
    const { status, stdout, stderr } = spawnSync('apt-get', args, { env: environment, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
    if (status !== 0) return `${byHand}. apt-get ${args.join(' ')} said: ${`${stdout}\n${stderr}`.trim().slice(-1_000)}`;
  }
  return findChromium() === undefined ? byHand : undefined;
}
