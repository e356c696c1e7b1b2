import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { says } from '@tendon/testing';
import { browserRig, eventually } from './browser-rig.ts';

const rig = await browserRig({ env: { TENDON_DESKTOP: 'on' } });
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

/** Which credential decided about each connection of the pages on this system so far. */
function pathsOf(system: string): string[] {
  const lines = rig.tendon.output().split('\n').flatMap(parsed);
  const own = lines.filter(({ event, namespace, client }) => event === 'auth' && namespace === '/agent' && String(client).includes(` on ${system}/`));
  return own.map(({ path, outcome }) => `${path} ${outcome}`);
}

function parsed(line: string): Record<string, unknown>[] {
  return line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : [];
}

test('H20, H21, K26: the desktop window connects with a session token, and after a drop with a fresh one', async () => {
  const device = await rig.device({ userAgent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) Chrome/156.0.0.0 TendonDesktop/0.1.0' });
  const asked: string[] = [];
  device.page.on('request', (request) => {
    if (request.url().endsWith('/api/auth/session-token')) asked.push(request.method());
  });
  await device.open();
  rig.model.script(says('from the desktop'));
  await device.say('hello');
  await device.answered('from the desktop').waitFor();
  assert.deepEqual(pathsOf('Mac'), ['token accepted']);
  assert.deepEqual(asked, ['POST']);

  rig.allow(/net::ERR_INTERNET_DISCONNECTED/);
  await device.page.context().setOffline(true);
  await device.isAway();
  await device.page.context().setOffline(false);
  await device.isIdle();
  rig.model.script(says('and again'));
  await device.say('still there?');
  await device.answered('and again').waitFor();
  assert.deepEqual(pathsOf('Mac'), ['token accepted', 'token refused', 'token accepted']);
  assert.deepEqual(asked, ['POST', 'POST']);
});

test('H20: in a browser the cookie decides, and the page has nothing of it', async () => {
  const device = await rig.device({ userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/156.0.0.0' });
  await device.open();
  await eventually(() => assert.deepEqual(pathsOf('Windows'), ['cookie accepted']));
  assert.match(await device.page.evaluate(() => document.cookie), /^(?:tendon-\d+\.csrf=[\w-]+\.[\w-]+)?$/);
});
