import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, test } from 'node:test';
import { runs, says, until } from '@tendon/testing';
import type { Page } from 'playwright-core';
import { browserRig, launchChromium, PHONE } from './browser-rig.ts';
import { relayMachine } from './relay-machine.ts';
import { seriousFaults } from './serious-faults.ts';
import { SessionPage } from './session-page.ts';

/* The page of a machine's own relay: `tendon gateway --relay` as a process, paired in the browser, in real Chromium. */

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const machine = await relayMachine(rig);
after(() => machine[Symbol.asyncDispose]());
const { said, output, lastLink } = machine;

test('U34, L6: pairing a machine with a page says what its page may do, and the terminal shows a link', async () => {
  const code = await machine.code();
  const device = await rig.device();
  await device.open(`/pair?code=${code}`);
  await device.page.getByText('It also asks to show your sessions to a browser on it').waitFor();
  assert.deepEqual(await seriousFaults(device.page, 'a machine with a page'), []);
  await device.button('Let it in').click();
  await device.page.getByText('is let in').waitFor();
  await said(/The page for a browser on this machine: http:\/\/127\.0\.0\.1:\d+\/sign-in\?token=/);
});

/**
 * What this page asks of the relay for its sockets, and what their handshakes have for a token. Where a WebSocket does not open, as in the moment
 * in which the network comes back, the handshake is posted.
 */
function watchTokens(page: Page): { readonly asked: string[]; readonly shown: string[] } {
  const watched = { asked: [] as string[], shown: [] as string[] };
  const read = (packet: string): void => {
    const [, handshake] = /^40\/agent,(\{.*\})$/.exec(packet) ?? [];
    if (handshake !== undefined) watched.shown.push(String((JSON.parse(handshake) as { token?: string }).token));
  };
  page.on('request', (request) => {
    if (request.url().endsWith('/api/auth/session-token')) watched.asked.push(request.method());
    else if (request.url().includes('/socket.io/')) for (const packet of request.postData()?.split('\u001e') ?? []) read(packet);
  });
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => read(String(payload))));
  return watched;
}

test('L2, L4, U34: the link opens the page, a session runs on this machine through it, which names the place to pair others, and another browser is kept out and told how to come in', async () => {
  const page = await rig.stranger();
  await page.setViewportSize(PHONE);
  const link = lastLink();
  const { origin } = new URL(link);
  await page.goto(link);
  const device = new SessionPage(page, origin);
  rig.model.script([runs('pwd')], says('That is where we are.'));
  await page.getByRole('textbox', { name: 'Message' }).fill('where are we?');
  await page.keyboard.press('Enter');
  await device.button('Approve').first().click();
  await page.getByText('That is where we are.').waitFor();
  assert.deepEqual(await seriousFaults(page, 'the page of a relay'), []);
  await device.open('/machines');
  await device.link('Pair a machine').click();
  await device.link(`${rig.url}/pair`).waitFor();
  assert.equal(await page.getByText('npx tendon gateway').count(), 0, 'nobody is told to pair with the address of a relay');
  assert.deepEqual(await seriousFaults(page, 'pairing on the page of a relay'), []);

  const stranger = await rig.stranger();
  rig.allow(/status of 401|WebSocket/);
  await stranger.goto(origin);
  await stranger.getByText('This page comes from your own machine').waitFor();
  assert.deepEqual(await seriousFaults(stranger, 'not signed in at a relay'), []);
  const before = output().length;
  await stranger.getByRole('link', { name: 'Have the terminal show a new link' }).click();
  await stranger.getByText('shows a new link now').waitFor();
  await until({
    what: 'the terminal to show it',
    pollMs: 20,
    check: () => output().slice(before).includes('/sign-in?token=') || undefined,
  });
});

test('L1: a page of another origin in the same browser, by address and by name, reaches nothing', async () => {
  const { origin, port } = new URL(lastLink());
  const signedIn = await rig.stranger();
  const before = madeTokens();
  await signedIn.goto(lastLink());
  await signedIn.getByText('Connected').first().waitFor();
  // What the machine has printed may be read after what it has answered.
  await until({ what: 'the token of this page in the log', pollMs: 20, check: () => madeTokens() > before });
  const evil = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end('<!doctype html><title>evil</title><p>evil</p>');
  });
  evil.listen(0, '127.0.0.1');
  await new Promise((resolve) => evil.once('listening', resolve));
  rig.allow(/./);
  try {
    const made = madeTokens();
    const tab = await signedIn.context().newPage();
    for (const host of ['127.0.0.1', 'localhost']) {
      await tab.goto(`http://${host}:${(evil.address() as AddressInfo).port}/`);
      const reached = await tab.evaluate(async (target) => {
        const tries: [string, Promise<unknown>][] = [
          ['fetch', fetch(`${target}/api/me`, { credentials: 'include' }).then((answer) => answer.text())],
          ['no-cors', fetch(`${target}/api/me`, { credentials: 'include', mode: 'no-cors' }).then((answer) => answer.type === 'opaque' && answer.status !== 0)],
          [
            'token',
            fetch(`${target}/api/auth/session-token`, {
              method: 'POST',
              credentials: 'include',
              headers: { 'Content-Type': 'application/json', 'X-Requested-With': 'tendon', 'X-CSRF-Token': 'x' },
              body: '{}',
            }).then((answer) => answer.text()),
          ],
          ['no-cors token', fetch(`${target}/api/auth/session-token`, { method: 'POST', credentials: 'include', mode: 'no-cors' }).then(() => false)],
          ['beacon', Promise.resolve(navigator.sendBeacon(`${target}/api/auth/session-token`, '{}')).then(() => false)],
          ['sign out', fetch(`${target}/api/auth/sign-out`, { method: 'POST', credentials: 'include', mode: 'no-cors' }).then(() => false)],
          [
            'socket',
            new Promise((resolve, reject) => {
              const socket = new WebSocket(`${target.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
              socket.onopen = () => resolve(true);
              socket.onerror = () => reject(new Error('refused'));
            }),
          ],
          [
            'frame',
            new Promise((resolve) => {
              const frame = document.createElement('iframe');
              frame.src = target;
              frame.onload = () => {
                try {
                  resolve(frame.contentDocument?.body.textContent?.includes('Tendon'));
                } catch {
                  resolve(false);
                }
              };
              document.body.append(frame);
            }),
          ],
        ];
        const outcomes = await Promise.allSettled(tries.map(([, attempt]) => attempt));
        return tries.flatMap(([name], index) => {
          const outcome = outcomes[index];
          return outcome?.status === 'fulfilled' && outcome.value ? [`${name}: ${String(outcome.value).slice(0, 100)}`] : [];
        });
      }, origin);
      assert.deepEqual(reached, [], host);
    }
    assert.equal(madeTokens(), made);
    // The sign-out of another site did not come through.
    await signedIn.reload();
    await signedIn.getByRole('textbox', { name: 'Message' }).waitFor();
    assert.ok(Number(port) > 0);
  } finally {
    evil.close();
  }
});

test('H1, L1: a name that was made to lead to this machine (DNS rebinding) gets nothing, from the server and from the relay', async () => {
  const browser = await launchChromium('--host-resolver-rules=MAP rebound.example 127.0.0.1');
  try {
    const page = await browser.newPage();
    for (const port of [new URL(rig.url).port, new URL(lastLink()).port]) {
      for (const path of ['/', '/api/me', '/sign-in?token=x', '/socket.io/?EIO=4&transport=polling']) {
        const answer = await page.goto(`http://rebound.example:${port}${path}`);
        assert.equal(answer?.status(), 421, `${port}${path}`);
      }
      // What its script could do: the name is its own origin now.
      const statuses = await page.evaluate(
        async (paths) => Promise.all(paths.map(async (path) => (await fetch(path, { method: path.includes('/auth/') ? 'POST' : 'GET' })).status)),
        ['/api/me', '/api/auth/sign-out', '/api/auth/session-token', '/healthz', '/socket.io/?EIO=4&transport=polling'],
      );
      assert.deepEqual([...new Set(statuses)], [421]);
      const opened = await page.evaluate(
        () =>
          new Promise((resolve) => {
            const socket = new WebSocket(`ws://${location.host}/socket.io/?EIO=4&transport=websocket`);
            socket.onopen = () => resolve(true);
            socket.onerror = () => resolve(false);
          }),
      );
      assert.equal(opened, false);
    }
  } finally {
    await browser.close();
  }
});

test('L4, U4: while the server is away, the page says that its relay cannot reach it and when it tries next, after a reload too', async () => {
  const page = await rig.stranger();
  await page.goto(await newLink());
  const device = new SessionPage(page, new URL(page.url()).origin);
  await device.isConnected();
  rig.allow(/WebSocket|ERR_|status of 503/);
  await rig.kill();
  const words = page.getByText(
    `The relay on this machine cannot reach ${rig.url}: nothing listens there (ECONNREFUSED). It tries again when this page does. Trying again in`,
  );
  await words.waitFor();
  await page.reload();
  await words.waitFor();
  await rig.restart();
  await device.isConnected();
  await words.waitFor({ state: 'detached' });
});

test('L2, L9: the page connects with a token for one socket, after a drop with a fresh one, and after a reload; its key is in no handshake', async () => {
  const page = await rig.stranger();
  const { asked, shown } = watchTokens(page);
  await page.goto(await newLink());
  await page.getByText('Connected').first().waitFor();
  assert.deepEqual(asked, ['POST']);
  assert.match(shown.join(), /^trs_[\w-]{43}$/);
  rig.allow(/ERR_INTERNET_DISCONNECTED|WebSocket/);
  await page.context().setOffline(true);
  await page.getByText('Offline').first().waitFor();
  await page.context().setOffline(false);
  await page.getByText('Connected').first().waitFor();
  assert.deepEqual(asked, ['POST', 'POST']);
  const [first, used, fresh] = shown;
  assert.deepEqual([shown.length, used === first, fresh === first], [3, true, false]);
  await page.reload();
  await page.getByText('Connected').first().waitFor();
  assert.equal(asked.length, 3);
  assert.equal(new Set(shown).size, 3);
  assert.ok(shown.every((token) => /^trs_[\w-]{43}$/.test(token)));
});

test('L2: a tab that was open before another link was opened in its browser comes back by itself, and a tab by hand needs no link', async () => {
  const first = await rig.stranger();
  await first.goto(await newLink());
  await first.getByText('Connected').first().waitFor();
  const second = await first.context().newPage();
  await second.goto(await newLink());
  await second.getByText('Connected').first().waitFor();
  assert.equal(new URL(second.url()).hash, '');
  rig.allow(/ERR_INTERNET_DISCONNECTED|WebSocket/);
  await first.context().setOffline(true);
  for (const page of [first, second]) await page.getByText('Offline').first().waitFor();
  await first.context().setOffline(false);
  for (const page of [first, second]) await page.getByText('Connected').first().waitFor();
  const byHand = await first.context().newPage();
  await byHand.goto(new URL(second.url()).origin);
  await byHand.getByRole('textbox', { name: 'Message' }).waitFor();
});

/** As the machine's log has it. */
function madeTokens(): number {
  return output().split('a token for a socket was made').length - 1;
}

/** The terminal shows one every ten seconds at most. */
async function newLink(): Promise<string> {
  const before = output().length;
  for (;;) {
    await fetch(new URL('/sign-in?token=none', lastLink()));
    const shown = await until({ what: 'a link', pollMs: 20, deadlineMs: 1_000, check: () => output().slice(before).includes('/sign-in?token=') }).catch(
      () => false,
    );
    if (shown) return lastLink();
  }
}
