import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, test } from 'node:test';
import { browserRig, eventually, freshLink } from './browser-rig.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

test('H4: a sign-in link opens the page once; used again it gives the plain page', async () => {
  const link = await freshLink(rig);
  const page = await rig.stranger();
  await page.goto(link);
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/');
  assert.equal(new URL(page.url()).search, '');
  const cookies = await page.context().cookies();
  assert.deepEqual(
    cookies.map((cookie) => [cookie.httpOnly, cookie.sameSite]),
    [[true, 'Strict']],
  );
  assert.equal(await page.evaluate(() => document.cookie), '');

  rig.allow(/status of 401/);
  const other = await rig.stranger();
  const refused = await other.goto(link);
  assert.equal(refused?.status(), 401);
  await other.getByText('tendon start').first().waitFor();
  assert.deepEqual(await other.context().cookies(), []);
});

test('H9, U26: a browser that is not signed in is told how to come in, wherever it asked to go', async () => {
  const page = await rig.stranger();
  await page.goto(`${rig.url}/permissions`);
  await page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
  await page.getByText('tendon start').waitFor();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
  await page.goto(await freshLink(rig));
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
});

interface Attempt {
  readonly how: string;
  readonly outcome: string;
}

test('H1, H10: a page of another origin on the same host neither connects, nor reads, nor changes anything, nor frames the page', async () => {
  const server = createServer((_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>elsewhere</title>'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const device = await rig.device();
    await device.open();
    rig.allow(/ERR_FAILED|blocked by CORS|WebSocket connection to .* failed|status of 403|frame|ERR_BLOCKED_BY_RESPONSE/);
    await device.page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const attempts = await device.page.evaluate(attack, rig.url);
    assert.deepEqual(
      attempts.filter(({ outcome }) => outcome !== 'refused'),
      [],
    );
    assert.equal(attempts.length, 5);
    await device.page.setContent(`<iframe src="${rig.url}/"></iframe>`);
    await eventually(() => assert.match(device.page.frames()[1]?.url() ?? '', /^chrome-error:/));
    const keys = await fetch(`${rig.url}/api/keys`, { headers: { authorization: `Bearer ${rig.product.key}` } });
    assert.doesNotMatch(await keys.text(), /stolen/);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

/** Runs in the hostile page. The cookie goes along: another port of the same host is the same site. */
async function attack(target: string): Promise<Attempt[]> {
  const read = async (how: string, path: string, options: RequestInit = {}): Promise<Attempt> => {
    const outcome = await fetch(target + path, { credentials: 'include', ...options }).then(
      (response) => `read, status ${response.status}`,
      () => 'refused',
    );
    return { how, outcome };
  };
  const socket = new Promise<Attempt>((resolve) => {
    const tried = new WebSocket(`${target.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    tried.onopen = () => resolve({ how: 'socket', outcome: 'open' });
    tried.onerror = () => resolve({ how: 'socket', outcome: 'refused' });
  });
  return [
    await socket,
    await read('poll', '/socket.io/?EIO=4&transport=polling'),
    await read('who', '/api/me'),
    await read('keys', '/api/keys'),
    await read('a new key', '/api/keys', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{"name":"stolen"}' }),
  ];
}
