import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { copyFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { LocalApprovals } from '@tendon/gateway/parts';
import { emits, relayRig, temporaryFolder, until } from '@tendon/testing';
import { DesktopWindow } from './desktop-window.ts';
import { GatewayChild } from './gateway-child.ts';
import { RunningParts } from './lifecycle.ts';
import { openBrowser } from './open-browser.ts';

/* A program that is just being replaced cannot be started (ETXTBSY), which Node throws and does not tell as an event. */

const skip = process.platform !== 'linux' && 'elsewhere a program that is being written can be started';

/** A program that ends with 1, and is being written until the answer is called. */
async function programBeingReplaced(path: string): Promise<() => Promise<void>> {
  await copyFile('/bin/false', path);
  const file = await open(path, 'r+');
  return () => file.close();
}

test('O24: a gateway whose program is just being replaced is started again when that is over', { skip }, async (t) => {
  await using folder = await temporaryFolder();
  const program = join(folder.path, 'node');
  const { execPath } = process;
  t.after(() => {
    process.execPath = execPath;
  });
  process.execPath = '/bin/false';
  const heard = new EventEmitter();
  const notices: string[] = [];
  const gateway = new GatewayChild({
    ...{ serverUrl: 'http://127.0.0.1:1', home: folder.path, workspace: folder.path },
    credential: () => Promise.resolve('a key'),
    onNotice: (message) => {
      notices.push(message);
      heard.emit('notice');
    },
    random: () => 0,
  });
  const told = (pattern: RegExp): Promise<unknown> =>
    until({ what: String(pattern), check: () => notices.some((notice) => pattern.test(notice)), on: emits(heard, 'notice') });
  await told(/ended \(code 1\)/);
  const replaced = await programBeingReplaced(program);
  process.execPath = program;
  await told(/could not be started: spawn ETXTBSY/);
  await replaced();
  notices.length = 0;
  await told(/ended \(code 1\)/);
  await gateway.close();
});

test('O24: a window whose browser is just being replaced is not opened, and nothing ends by that', { skip }, async () => {
  await using folder = await temporaryFolder();
  await using rig = await relayRig({ serverUrl: 'http://127.0.0.1:1', key: 'a key', approvals: new LocalApprovals('0199c0de-0000-7000-8000-00000000aaaa') });
  const browser = join(folder.path, 'browser');
  const replaced = await programBeingReplaced(browser);
  const window = new DesktopWindow({ relay: rig.relay, running: new RunningParts(), browser, profile: join(folder.path, 'profile'), isInTray: () => false });
  await assert.doesNotReject(window.open('/'));
  await replaced();
});

test('O24: that the page cannot be opened in a browser, which is just being replaced, is silent', { skip }, async (t) => {
  await using folder = await temporaryFolder();
  const path = process.env['PATH'];
  t.after(() => {
    process.env['PATH'] = path;
  });
  const replaced = await programBeingReplaced(join(folder.path, 'xdg-open'));
  process.env['PATH'] = folder.path;
  assert.doesNotThrow(() => openBrowser('http://127.0.0.1:1/'));
  await replaced();
});
