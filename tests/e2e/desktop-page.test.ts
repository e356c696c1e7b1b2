import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { says } from '@tendon/testing';
import { browserRig, eventually, freshLink } from './browser-rig.ts';
import { SessionPage } from './session-page.ts';

const rig = await browserRig({ env: { TENDON_DESKTOP: 'on' } });
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

/** With the first connection as many as a browser session gets tokens at once (H22). */
const RECONNECTS = 4;

/** What has decided about the connections of the pages on a system is just this: what the server has printed may be read after what it has answered. */
function wereLetIn(system: string, paths: readonly string[]): Promise<void> {
  return eventually(() => assert.deepEqual(pathsOf(system), paths));
}

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
  await wereLetIn('Mac', ['token accepted']);
  assert.deepEqual(asked, ['POST']);

  rig.allow(/net::ERR_INTERNET_DISCONNECTED/);
  await device.page.context().setOffline(true);
  await device.isAway();
  await device.page.context().setOffline(false);
  await device.isIdle();
  rig.model.script(says('and again'));
  await device.say('still there?');
  await device.answered('and again').waitFor();
  await wereLetIn('Mac', ['token accepted', 'token refused', 'token accepted']);
  assert.deepEqual(asked, ['POST', 'POST']);
});

test('K4, K26: each of several reconnects costs one refused handshake and one request for a token, and no more', async () => {
  // A sign-in of its own has tokens of its own.
  const page = await rig.stranger({ userAgent: 'Mozilla/5.0 (X11; CrOS x86_64) Chrome/156.0.0.0 TendonDesktop/0.1.0' });
  const device = new SessionPage(page, rig.url);
  const answers: number[] = [];
  page.on('response', (response) => {
    if (response.url().endsWith('/api/auth/session-token')) answers.push(response.status());
  });
  await page.goto(await freshLink(rig));
  await device.isConnected();
  rig.allow(/net::ERR_INTERNET_DISCONNECTED/);
  for (let reconnects = 1; reconnects <= RECONNECTS; reconnects += 1) {
    await page.context().setOffline(true);
    await device.isAway();
    await page.context().setOffline(false);
    await device.isConnected();
    // An answer through the new connection: whatever else the client tried for it has been tried.
    rig.model.script(says(`answer ${reconnects}`));
    await device.say(`question ${reconnects}`);
    await device.answered(`answer ${reconnects}`).waitFor();
    const each = Array.from({ length: reconnects }, () => ['token refused', 'token accepted']).flat();
    await wereLetIn('ChromeOS', ['token accepted', ...each]);
    assert.deepEqual(
      answers,
      Array.from({ length: 1 + reconnects }, () => 201),
    );
  }
});

test('H20: in a browser the cookie decides, and the page has nothing of it', async () => {
  const device = await rig.device({ userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/156.0.0.0' });
  await device.open();
  await wereLetIn('Windows', ['cookie accepted']);
  assert.match(await device.page.evaluate(() => document.cookie), /^(?:tendon-\d+\.csrf=[\w-]+\.[\w-]+)?$/);
});
