import assert from 'node:assert/strict';
import { test } from 'node:test';
import { McpCredentials } from '@tendon/mcp/rig';
import { pino } from 'pino';
import { Keyring } from '../secrets/keyring.ts';
import { mcpSeal } from './mcp-seal.ts';

const [ONE, TWO, THREE] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte)) as [Buffer, Buffer, Buffer];
const URLS = ['https://mcp.example/a?key=in-the-address', 'https://mcp.example/b'] as const;
const credential = (name: string) => ({
  client: { client_id: `client of ${name}`, client_secret: `client-secret-${name}` },
  tokens: { access_token: `access-${name}`, refresh_token: `refresh-${name}`, token_type: 'bearer' },
});
const SECRETS = /access-|refresh-|client-secret|in-the-address/;

/** One file in memory, and what was said about it. */
function kept(text?: string) {
  const state = { text, writes: 0, lines: [] as string[] };
  const files = {
    read: async () => (state.text === undefined ? undefined : Buffer.from(state.text)),
    update: async (_path: string, change: (current: Buffer | undefined) => string | undefined) => {
      state.text = change(await files.read());
      state.writes += 1;
    },
  };
  const log = pino({ level: 'debug' }, { write: (line: string) => void state.lines.push(line) });
  const open = (keyring?: Keyring) => McpCredentials.open({ path: 'x', files, log, seal: keyring && mcpSeal(keyring) });
  const entries = () => (JSON.parse(state.text ?? '{}') as { servers: Record<string, { keyId: string; sealed: string }> }).servers;
  return { state, open, entries };
}

async function sealedBy(keyring: Keyring) {
  const file = kept();
  const credentials = await file.open(keyring);
  for (const [index, url] of URLS.entries()) await credentials.set(url, credential(String(index)));
  return file;
}

test('A26: tokens, secrets of clients and addresses of MCP servers stand sealed in the file, and open at the next start', async () => {
  const file = await sealedBy(new Keyring(ONE));
  assert.doesNotMatch(file.state.text ?? '', SECRETS);
  const { writes } = file.state;
  const again = await file.open(new Keyring(ONE));
  for (const [index, url] of URLS.entries()) assert.deepEqual(again.get(url), credential(String(index)));
  assert.equal(file.state.writes, writes, 'what the current key has sealed is left alone');
});

test('A26: a plain file of before is read once and stands sealed from then on', async () => {
  const plain = kept();
  for (const [index, url] of URLS.entries()) await (await plain.open()).set(url, credential(String(index)));
  assert.match(plain.state.text ?? '', SECRETS, 'without a seal, as on a machine, it is plain');
  const opened = await plain.open(new Keyring(ONE));
  assert.doesNotMatch(plain.state.text ?? '', SECRETS);
  for (const credentials of [opened, await plain.open(new Keyring(ONE))]) assert.deepEqual(credentials.get(URLS[1]), credential('1'));
});

test('A26, A16: what an earlier key has sealed opens while that key is given, is sealed with the current one, and needs the earlier one no more', async () => {
  const file = await sealedBy(new Keyring(ONE));
  await file.open(new Keyring(TWO, [ONE]));
  assert.deepEqual(
    Object.values(file.entries()).map(({ keyId }) => keyId),
    URLS.map(() => new Keyring(TWO).currentId),
  );
  assert.deepEqual((await file.open(new Keyring(TWO))).get(URLS[0]), credential('0'));
  assert.deepEqual(file.state.lines, []);
});

test('A26, A17: what a lost key has sealed is told, kept for the day on which the key is back, and replaced by the next sign-in alone', async () => {
  const file = await sealedBy(new Keyring(ONE));
  const without = await file.open(new Keyring(THREE));
  assert.deepEqual(
    URLS.map((url) => without.get(url)),
    [undefined, undefined],
  );
  assert.match(file.state.lines.join(''), /"count":2.*TENDON_SECRET_KEY_PREVIOUS.*sign in to them again/);
  await without.set(URLS[0], credential('new'));
  const later = await file.open(new Keyring(THREE, [ONE]));
  assert.deepEqual([later.get(URLS[0]), later.get(URLS[1])], [credential('new'), credential('1')]);
});

test('A26, A14: what was changed, or moved to another address, does not open, and costs itself alone', async () => {
  const file = await sealedBy(new Keyring(ONE));
  type Entry = [string, { keyId: string; sealed: string }];
  const [[first, one], [second, other]] = Object.entries(file.entries()) as [Entry, Entry];
  const turned = Buffer.from(one.sealed, 'base64').map((byte, index) => (index === 20 ? byte ^ 1 : byte));
  const cases = [
    { [first]: { ...one, sealed: Buffer.from(turned).toString('base64') }, [second]: other },
    { [first]: other, [second]: other },
    { [first]: { ...one, sealed: 'not base64 at all' }, [second]: other },
    { [first]: { ...one, keyId: new Keyring(TWO).currentId }, [second]: other },
  ];
  for (const servers of cases) {
    const damaged = kept(JSON.stringify({ version: 2, servers }));
    const credentials = await damaged.open(new Keyring(ONE, [TWO]));
    assert.deepEqual([credentials.get(URLS[0]), credentials.get(URLS[1])], [undefined, credential('1')]);
    assert.match(damaged.state.lines.join(''), /"count":1/);
  }
});

test('A26: a file that is none costs the sign-ins, and nothing else', async () => {
  for (const text of ['', '{', '[]', '{"version":2}', '{"version":3,"servers":{}}', '{"version":2,"servers":{"x":1}}']) {
    const file = kept(text);
    const credentials = await file.open(new Keyring(ONE));
    assert.equal(credentials.get(URLS[0]), undefined);
    assert.match(file.state.lines.join(''), /sign in to them again/);
  }
});

test('A26, E30: of two nodes that share a home, one of which knows a newer key, neither loses what the other has sealed', async () => {
  const file = await sealedBy(new Keyring(ONE));
  const old = await file.open(new Keyring(ONE));
  const rotated = await file.open(new Keyring(TWO, [ONE]));
  await old.set(URLS[1], credential('of the old'));
  assert.deepEqual(old.get(URLS[0]), credential('0'), 'what does not open any more in the file is still known here');
  await rotated.set('https://mcp.example/c', credential('c'));
  const later = await file.open(new Keyring(TWO, [ONE]));
  assert.deepEqual(
    [...URLS, 'https://mcp.example/c'].map((url) => later.get(url)),
    [credential('0'), credential('of the old'), credential('c')],
  );
});
