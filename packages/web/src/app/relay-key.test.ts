import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayKey } from './relay-key.ts';

const [KEY, LATER] = [`tdr_${'k'.repeat(43)}`, `tdr_${'l'.repeat(43)}`];

function rig({ hash = '', kept = {}, relay = true, status = 200, refuses = false }: RigOptions = {}) {
  const addresses: string[] = [];
  let asked = 0;
  const throwing = () => {
    throw new Error('quota');
  };
  const key = new RelayKey({
    location: { hash, pathname: '/machines', search: '?a=1', origin: 'http://127.0.0.1:7777' },
    history: { replaceState: (_state: unknown, _title: string, address?: string | URL | null) => void addresses.push(String(address)) },
    storage: {
      getItem: refuses ? throwing : (name: string) => kept[name] ?? null,
      setItem: refuses
        ? throwing
        : (name: string, value: string) => {
            kept[name] = value;
          },
    },
    fetch: () => {
      asked += 1;
      return Promise.resolve(Response.json({ password: false, ...(relay ? { relay } : {}) }, { status }));
    },
  });
  return { key, kept, addresses, asked: () => asked };
}

interface RigOptions {
  readonly hash?: string;
  readonly kept?: Record<string, string>;
  readonly relay?: boolean;
  readonly status?: number;
  readonly refuses?: boolean;
}

test('L2: the key is taken out of the address, and kept for other tabs once the relay has let it in', async () => {
  const first = rig({ hash: `#relay=${KEY}` });
  assert.deepEqual(first.addresses, ['/machines?a=1']);
  assert.equal(await first.key.token(), KEY);
  assert.deepEqual(first.kept, {});
  first.key.confirm();
  assert.equal(await rig({ kept: first.kept }).key.token(), KEY);
});

test('L2: what is no key stays in the address', async () => {
  for (const hash of ['#relay=', '#relay=x', `#relay=${KEY}x`, `#relay=${KEY}&a`, `#${KEY}`]) {
    const odd = rig({ hash });
    assert.equal(await odd.key.token(), undefined, hash);
    assert.deepEqual(odd.addresses, []);
  }
});

test('L2: an address that somebody else wrote costs a try, and not the sign-in', async () => {
  const page = rig({ hash: `#relay=${LATER}`, kept: { 'tendon-relay-key': KEY } });
  assert.equal(await page.key.token(), LATER);
  assert.equal(await page.key.token(), KEY, 'the first was refused');
  page.key.confirm();
  assert.deepEqual(page.kept, { 'tendon-relay-key': KEY });
});

test('L2: a tab that was open before finds the key that another tab got', async () => {
  const signedIn = rig({ kept: { 'tendon-relay-key': KEY } });
  assert.equal(await signedIn.key.token(), KEY);
  signedIn.kept['tendon-relay-key'] = LATER;
  assert.equal(await signedIn.key.token(), LATER);
  const stranger = rig();
  assert.equal(await stranger.key.token(), undefined);
  stranger.kept['tendon-relay-key'] = KEY;
  assert.equal(await stranger.key.token(), KEY);
});

test('L2: a browser that keeps nothing has its key for this page', async () => {
  const page = rig({ hash: `#relay=${KEY}`, refuses: true });
  for (let turn = 0; turn < 2; turn += 1) {
    assert.equal(await page.key.token(), KEY);
    page.key.confirm();
  }
  assert.equal(await rig({ refuses: true }).key.token(), undefined);
});

test('L2: the key is shown to a relay alone, and who has none asks nothing', async () => {
  assert.equal(await rig({ kept: { 'tendon-relay-key': KEY }, relay: false }).key.token(), undefined);
  await assert.rejects(rig({ kept: { 'tendon-relay-key': KEY }, status: 503 }).key.token(), /status 503/);
  const none = rig();
  await none.key.token();
  assert.equal(none.asked(), 0);
});
