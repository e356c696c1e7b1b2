import assert from 'node:assert/strict';
import { test } from 'node:test';
import { relayTokenSource, takeRelayKey } from './relay-key.ts';

const KEY = `tdr_${'k'.repeat(43)}`;

function page(hash: string, kept: Record<string, string> = {}) {
  const addresses: string[] = [];
  return {
    ...{ kept, addresses, location: { hash, pathname: '/machines', search: '?a=1', origin: 'http://127.0.0.1:7777' } },
    history: { replaceState: (_state: unknown, _title: string, address?: string | URL | null) => void addresses.push(String(address)) },
    storage: {
      getItem: (name: string) => kept[name] ?? null,
      setItem: (name: string, value: string) => {
        kept[name] = value;
      },
    },
  };
}

function answering(status: number, body: unknown): typeof fetch {
  return () => Promise.resolve(Response.json(body, { status }));
}

test('L2: the key is taken out of the address, kept, and found again by the next page', () => {
  const first = page(`#relay=${KEY}`);
  assert.equal(takeRelayKey(first), KEY);
  assert.deepEqual(first.addresses, ['/machines?a=1']);
  assert.equal(takeRelayKey(page('', first.kept)), KEY);
  assert.equal(takeRelayKey(page('')), undefined);
});

test('L2: what is no key stays in the address and is not kept', () => {
  for (const hash of ['#relay=', '#relay=x', `#relay=${KEY}x`, `#relay=${KEY}&a`, `#${KEY}`]) {
    const odd = page(hash);
    assert.equal(takeRelayKey(odd), undefined, hash);
    assert.deepEqual([odd.addresses, odd.kept], [[], {}]);
  }
});

test('L2: a browser that keeps nothing has its key for this page', () => {
  const odd = page(`#relay=${KEY}`);
  const refusing = () => {
    throw new Error('quota');
  };
  assert.equal(takeRelayKey({ ...odd, storage: { getItem: refusing, setItem: refusing } }), KEY);
  assert.equal(takeRelayKey({ ...odd, location: { ...odd.location, hash: '' }, storage: { getItem: refusing, setItem: refusing } }), undefined);
});

test('L2: the key is shown to a relay alone', async () => {
  const { location } = page('');
  assert.equal(await relayTokenSource(KEY, { location, fetch: answering(200, { password: false, relay: true }) })(), KEY);
  assert.equal(await relayTokenSource(KEY, { location, fetch: answering(200, { password: true }) })(), undefined);
  await assert.rejects(relayTokenSource(KEY, { location, fetch: answering(503, {}) })(), /status 503/);
});
