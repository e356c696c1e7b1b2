import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PRIVATE_HOSTS } from '@tendon/testing';
import { parseAllowed } from './network-allow.ts';
import { judgeTarget, type NetworkRulesOptions, targetOf } from './network-rules.ts';

interface Rules {
  readonly allow?: readonly string[];
  readonly reserved?: NetworkRulesOptions['reserved'];
  readonly names?: Readonly<Record<string, readonly string[]>>;
}

/** The code of the refusal, or the addresses that may be connected to. */
async function judged(url: string, { allow = [], reserved = [], names }: Rules = {}): Promise<string> {
  const target = targetOf(url);
  if (!target) return 'no target';
  const policy = { current: async () => ({ ok: true as const, policy: { network: { allow: [...allow] } } }) };
  const resolve = names && { resolve: async (host: string) => names[host] ?? [] };
  const verdict = await judgeTarget(target, { policy, reserved, ...resolve });
  return verdict.ok ? verdict.addresses.join() : verdict.code;
}

test('W14: no form of writing an address that is not public gets through', async () => {
  assert.ok(PRIVATE_HOSTS.length >= 60, String(PRIVATE_HOSTS.length));
  for (const host of PRIVATE_HOSTS) assert.equal(await judged(`http://${host}:8080/x`), 'address_refused', host);
});

test('W14: a name is judged by every address it leads to', async () => {
  const names = { 'good.example': ['93.184.216.34', '2606:2800:220:1::1'], 'mixed.example': ['93.184.216.34', '10.0.0.1'], 'bad.example': ['127.0.0.1'] };
  assert.equal(await judged('https://good.example/', { names }), '93.184.216.34,2606:2800:220:1::1');
  assert.equal(await judged('https://GOOD.example./', { names }), '93.184.216.34,2606:2800:220:1::1');
  assert.equal(await judged('https://mixed.example/', { names }), 'address_refused');
  assert.equal(await judged('https://bad.example/', { names }), 'address_refused');
  assert.equal(await judged('https://none.example/', { names }), 'unknown_host');
  assert.equal(await judged('https://8.8.8.8/', { names }), '8.8.8.8');
});

test('W15: what is allowed is exactly what an entry says', async () => {
  const names = {
    localhost: ['127.0.0.1'],
    'app.localhost': ['127.0.0.1'],
    'rebind.example': ['127.0.0.1'],
    'wiki.corp': ['10.1.2.3'],
    'a.wiki.corp': ['10.1.2.4'],
  };
  const table: [string, string, boolean][] = [
    ['localhost:3000', 'http://localhost:3000/', true],
    ['localhost:3000', 'http://127.0.0.1:3000/', true],
    ['localhost:3000', 'http://app.localhost:3000/', true],
    ['localhost:3000', 'http://localhost:3001/', false],
    ['localhost:3000', 'http://rebind.example:3000/', false],
    ['localhost:3000', 'http://10.0.0.1:3000/', false],
    ['localhost', 'http://localhost:1234/', true],
    ['127.0.0.1:3000', 'http://127.0.0.1:3000/', true],
    ['127.0.0.1:3000', 'http://localhost:3000/', false],
    ['wiki.corp', 'https://wiki.corp/', true],
    ['WIKI.corp', 'https://wiki.corp/', true],
    ['wiki.corp:8443', 'https://wiki.corp/', false],
    ['wiki.corp', 'https://a.wiki.corp/', false],
    ['*.wiki.corp', 'https://a.wiki.corp/', true],
    ['*.wiki.corp', 'https://wiki.corp/', false],
    ['10.1.0.0/16', 'https://wiki.corp/', true],
    ['10.1.0.0/16', 'http://10.1.9.9:99/', true],
    ['10.1.0.0/16', 'http://10.2.0.1/', false],
    ['[fd00::1]:80', 'http://[fd00::1]/', true],
    ['fd00::/8', 'http://[fd12::1]/', true],
    ['fd00::1', 'http://[fd00::1]:99/', true],
    ['fd00::1', 'http://[fd00::2]/', false],
  ];
  for (const [entry, url, expected] of table) assert.equal((await judged(url, { allow: [entry], names })) !== 'address_refused', expected, `${entry} ${url}`);
});

test('W15: an entry that could mean something else is none', () => {
  for (const entry of [
    '',
    ' ',
    '*',
    'http://localhost',
    'localhost:',
    'localhost:0',
    'localhost:99999',
    '10.0.0.0/33',
    '10.0.0.0/',
    'a b',
    'user@host',
    '*.*.corp',
    'a/b',
    '[::1',
    '::1:3000:x',
  ])
    assert.equal(parseAllowed(entry), undefined, entry);
});

test('W16: doors of Tendon stay shut, whatever is allowed and however they are written', async () => {
  const reserved = [
    { host: '127.0.0.1', port: 7420 },
    { host: 'tendon.example', port: 443 },
  ];
  const names = { localhost: ['127.0.0.1'], 'tendon.example': ['93.184.216.34'] };
  const allow = ['localhost', '127.0.0.0/8', '::1', '0.0.0.0', 'tendon.example'];
  for (const url of [
    'http://127.0.0.1:7420/',
    'http://localhost:7420/',
    'http://127.9.9.9:7420/',
    'http://[::1]:7420/',
    'http://0:7420/',
    'https://tendon.example/',
  ])
    assert.equal(await judged(url, { reserved, names, allow }), 'address_refused', url);
  assert.equal(await judged('http://localhost:7422/', { reserved, names, allow }), '127.0.0.1');
  assert.equal(await judged('https://tendon.example:8443/', { reserved, names, allow }), '93.184.216.34');
});

test('W16: a door of Tendon is shut under every name and address it shares', async () => {
  const reserved = [
    { host: 'tendon.corp', port: 3000 },
    { host: '10.5.5.5', port: 4000 },
    { host: 'gone.corp', port: 3000 },
  ];
  const names = {
    'tendon.corp': ['10.1.1.1', 'fd00::1'],
    'alias.corp': ['10.1.1.1'],
    'six.corp': ['fd00:0::1'],
    'mapped.corp': ['::ffff:10.1.1.1'],
    'other.corp': ['10.1.1.2'],
    'number.corp': ['10.5.5.5'],
  };
  const allow = ['10.0.0.0/8', 'fd00::/8', 'mapped.corp'];
  for (const host of ['tendon.corp', '10.1.1.1', '[fd00::1]', '[::ffff:10.1.1.1]', 'alias.corp', 'six.corp', 'mapped.corp'])
    assert.equal(await judged(`http://${host}:3000/`, { reserved, names, allow }), 'address_refused', host);
  assert.equal(await judged('http://number.corp:4000/', { reserved, names, allow }), 'address_refused');
  assert.equal(await judged('http://other.corp:3000/', { reserved, names, allow }), '10.1.1.2');
  assert.equal(await judged('http://alias.corp:3001/', { reserved, names, allow }), '10.1.1.1');
});

test('W16: what a door leads to is looked up once for many connections', async () => {
  const policy = { current: async () => ({ ok: true as const, policy: {} }) };
  let lookups = 0;
  const resolve = async (host: string) => {
    if (host === 'tendon.example') lookups += 1;
    return host === 'tendon.example' ? ['93.184.216.34'] : ['93.184.216.35'];
  };
  const options = { policy, reserved: [{ host: 'tendon.example', port: 443 }], resolve };
  for (let count = 0; count < 5; count += 1) assert.equal((await judgeTarget({ host: 'a.example', port: 443 }, options)).ok, true);
  assert.equal(lookups, 1);
});

test('W14: a look-up that fails in whatever way is a name that leads nowhere', async () => {
  const policy = { current: async () => ({ ok: true as const, policy: {} }) };
  const verdict = await judgeTarget({ host: 'a.example', port: 80 }, { policy, reserved: [], resolve: () => Promise.reject(new Error('no code')) });
  assert.equal(verdict.ok ? undefined : verdict.code, 'unknown_host');
});
