import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { diskFiles, type SharedFiles } from '@tendon/system';
import { temporaryFolder } from '@tendon/testing';
import { pino } from 'pino';
import { McpCredentials } from './mcp-credentials.ts';

const credential = (token: string) => ({ client: { client_id: 'tendon' }, tokens: { access_token: token, token_type: 'bearer' } });
const address = (name: string): string => `https://mcp.example/${name}`;
const open = (path: string, files: SharedFiles = diskFiles) => McpCredentials.open({ path, files, log: pino({ level: 'silent' }) });
const tokens = (credentials: McpCredentials, names: readonly string[]) => names.map((name) => credentials.get(address(name))?.tokens.access_token);

test('E30: of two nodes that share a home neither takes the sign-ins of the other, also of those that they make at once', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'credentials.json');
  const [first, second] = [await open(path), await open(path)];
  await first.set(address('a'), credential('a of the first'));
  await second.set(address('b'), credential('b of the second'));
  assert.deepEqual(tokens(second, ['a', 'b']), ['a of the first', 'b of the second'], 'it knows them from then on');
  const names = Array.from({ length: 10 }, (_, index) => String(index));
  await Promise.all(names.map((name, index) => (index % 2 === 0 ? first : second).set(address(name), credential(name))));
  assert.deepEqual(tokens(await open(path), ['a', 'b', ...names]), ['a of the first', 'b of the second', ...names]);
});

test('E30: tokens that another node has made new are not put back to what they were', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'credentials.json');
  const first = await open(path);
  await first.set(address('a'), credential('old'));
  const second = await open(path);
  await second.set(address('a'), credential('new'));
  await first.set(address('b'), credential('b'));
  for (const credentials of [first, await open(path)]) assert.deepEqual(tokens(credentials, ['a', 'b']), ['new', 'b']);
});

test('E15, E30: what a full disk did not take counts in this process, and is on the disk with the next write', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'credentials.json');
  const disk = { isFull: true };
  const update: SharedFiles['update'] = async (...how) => (disk.isFull ? Promise.reject(new Error('ENOSPC')) : diskFiles.update(...how));
  const credentials = await open(path, { read: diskFiles.read, update });
  await credentials.set(address('a'), credential('a'));
  assert.deepEqual(tokens(credentials, ['a']), ['a']);
  assert.deepEqual(tokens(await open(path), ['a']), [undefined]);
  disk.isFull = false;
  await credentials.set(address('b'), credential('b'));
  assert.deepEqual(tokens(await open(path), ['a', 'b']), ['a', 'b']);
});
