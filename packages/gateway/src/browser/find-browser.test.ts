import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@tendon/testing';
import { findBrowser } from './find-browser.ts';

async function program(folder: string, name: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  await writeFile(path, '#!/bin/sh\n');
  await chmod(path, 0o755);
  return path;
}

test('W10: the named browser, or the first one on the path', async () => {
  await using base = await temporaryFolder();
  const one = join(base.path, 'one "q" \u00fc');
  const two = join(base.path, 'two');
  const chrome = await program(one, 'google-chrome');
  const chromium = await program(two, 'chromium');
  const edge = await program(two, 'microsoft-edge');
  const env = { PATH: `${one}:${two}` };
  assert.deepEqual(findBrowser({ env, platform: 'linux' }), { kind: 'found', path: chromium });
  assert.deepEqual(findBrowser({ env: { PATH: one }, platform: 'linux' }), { kind: 'found', path: chrome });
  assert.deepEqual(findBrowser({ env: { ...env, TENDON_BROWSER_PATH: edge }, platform: 'linux' }), { kind: 'found', path: edge });
  const mac = await program(join(base.path, 'Applications/Google Chrome.app/Contents/MacOS'), 'Google Chrome');
  assert.deepEqual(findBrowser({ env: { HOME: base.path }, platform: 'darwin' }), { kind: 'found', path: mac });
});

test('W10: when there is none, the command that installs one is named', async () => {
  await using base = await temporaryFolder();
  const wrong = findBrowser({ env: { TENDON_BROWSER_PATH: base.path }, platform: 'linux' });
  assert.ok(wrong.kind === 'none' && wrong.reason.includes('TENDON_BROWSER_PATH') && wrong.reason.includes(JSON.stringify(base.path)));
  const none = findBrowser({ env: { HOME: base.path }, platform: 'win32' });
  assert.ok(none.kind === 'none' && none.reason.includes('winget install'));
  const mac = findBrowser({ env: { HOME: base.path, PATH: base.path }, platform: 'darwin' });
  assert.ok(mac.kind === 'none' && mac.reason.includes('brew install'));
});
