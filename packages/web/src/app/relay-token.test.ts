import assert from 'node:assert/strict';
import { test } from 'node:test';
import { relayTokenSource } from './relay-token.ts';

const ORIGIN = 'http://127.0.0.1:7777';
const [KEY, LATER] = [`tdr_${'k'.repeat(43)}`, `tdr_${'l'.repeat(43)}`];

interface RigOptions {
  readonly hash?: string;
  readonly kept?: Record<string, string>;
  /** The key that the relay takes now. */
  readonly right?: string;
  readonly relay?: boolean;
  /** What it answers instead, by path. */
  readonly status?: Readonly<Record<string, number>>;
  readonly keepsNothing?: boolean;
}

function rig({ hash = '', kept = {}, right = KEY, relay = true, status = {}, keepsNothing = false }: RigOptions = {}) {
  const addresses: string[] = [];
  const asked: string[] = [];
  const answers: { right: string; status: Readonly<Record<string, number>> } = { right, status };
  let made = 0;
  const throwing = () => {
    throw new Error('quota');
  };
  const token = relayTokenSource({
    location: { hash, pathname: '/machines', search: '?a=1', origin: ORIGIN },
    history: { replaceState: (_state: unknown, _title: string, address?: string | URL | null) => void addresses.push(String(address)) },
    storage: {
      getItem: keepsNothing ? throwing : (name: string) => kept[name] ?? null,
      setItem: keepsNothing
        ? throwing
        : (name: string, value: string) => {
            kept[name] = value;
          },
    },
    fetch: (url, init) => {
      const path = new URL(String(url)).pathname;
      const key = new Headers(init?.headers).get('X-CSRF-Token');
      asked.push(`${init?.method ?? 'GET'} ${path}${key === null ? '' : ` ${key}`}`);
      const failed = answers.status[path];
      if (failed !== undefined) return Promise.resolve(Response.json({}, { status: failed }));
      if (path === '/api/auth/ways') return Promise.resolve(Response.json({ password: false, ...(relay ? { relay } : {}) }));
      if (key !== answers.right) return Promise.resolve(Response.json({ error: {} }, { status: 403 }));
      made += 1;
      return Promise.resolve(Response.json({ token: `token-${made}`, expiresInMs: 60_000 }, { status: 201 }));
    },
  });
  return { token, kept, addresses, asked, answers };
}

const WAYS = 'GET /api/auth/ways';
const TOKEN = '/api/auth/session-token';

test('L2: the key is taken out of the address, and kept for other tabs once the relay has given a token for it', async () => {
  const first = rig({ hash: `#relay=${KEY}` });
  assert.deepEqual([first.addresses, first.kept], [['/machines?a=1'], {}]);
  assert.equal(await first.token(), 'token-1');
  assert.deepEqual(first.asked, [WAYS, `POST ${TOKEN} ${KEY}`]);
  assert.deepEqual(first.kept, { 'tendon-relay-key': KEY });
  assert.equal(await rig({ kept: first.kept }).token(), 'token-1');
  assert.equal(await first.token(), 'token-2', 'asked again, with the one that is kept now');
});

test('L2: what is no key stays in the address', async () => {
  for (const hash of ['#relay=', '#relay=x', `#relay=${KEY}x`, `#relay=${KEY}&a`, `#${KEY}`]) {
    const odd = rig({ hash });
    assert.equal(await odd.token(), undefined, hash);
    assert.deepEqual(odd.addresses, []);
  }
});

test('L2: an address that somebody else wrote costs a request, once, and not the sign-in', async () => {
  const page = rig({ hash: `#relay=${LATER}`, kept: { 'tendon-relay-key': KEY } });
  assert.equal(await page.token(), 'token-1');
  assert.deepEqual(page.asked.splice(0), [WAYS, `POST ${TOKEN} ${LATER}`, `POST ${TOKEN} ${KEY}`]);
  assert.deepEqual(page.kept, { 'tendon-relay-key': KEY });
  await page.token();
  assert.deepEqual(page.asked, [WAYS, `POST ${TOKEN} ${KEY}`]);
});

test('L2: a stored key that is refused is asked with once each time, and a fresh one takes its place', async () => {
  const old = rig({ kept: { 'tendon-relay-key': LATER } });
  assert.equal(await old.token(), undefined);
  assert.deepEqual(old.asked, [WAYS, `POST ${TOKEN} ${LATER}`]);
  const fresh = rig({ hash: `#relay=${KEY}`, kept: old.kept });
  assert.equal(await fresh.token(), 'token-1');
  assert.deepEqual(fresh.kept, { 'tendon-relay-key': KEY });
});

test('L2: a tab that was open before finds the key that another tab got', async () => {
  const signedIn = rig({ kept: { 'tendon-relay-key': KEY } });
  assert.equal(await signedIn.token(), 'token-1');
  signedIn.answers.right = LATER;
  signedIn.kept['tendon-relay-key'] = LATER;
  assert.equal(await signedIn.token(), 'token-2');
  const stranger = rig();
  assert.equal(await stranger.token(), undefined);
  stranger.kept['tendon-relay-key'] = KEY;
  assert.equal(await stranger.token(), 'token-1');
});

test('L2: a browser that keeps nothing has its key for this page', async () => {
  const page = rig({ hash: `#relay=${KEY}`, keepsNothing: true });
  assert.deepEqual([await page.token(), await page.token()], ['token-1', 'token-2']);
  assert.equal(await rig({ keepsNothing: true }).token(), undefined);
});

test('L2: a relay that is away, busy or broken is asked again later, and the fresh key is not lost', async () => {
  const page = rig({ hash: `#relay=${KEY}`, status: { '/api/auth/ways': 503 } });
  await assert.rejects(page.token(), /status 503/);
  for (const status of [429, 500]) {
    page.answers.status = { [TOKEN]: status };
    await assert.rejects(page.token(), new RegExp(`answered ${status}`));
  }
  page.answers.status = {};
  assert.equal(await page.token(), 'token-1');
});

test('L2: the key is shown to a relay alone, and who has none asks nothing', async () => {
  const server = rig({ kept: { 'tendon-relay-key': KEY }, relay: false });
  assert.equal(await server.token(), undefined);
  assert.deepEqual(server.asked, [WAYS]);
  const none = rig();
  await none.token();
  assert.deepEqual(none.asked, []);
});
