import assert from 'node:assert/strict';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@tendon/testing';
import { prepareHome, readHomeFile, readSecretKeys, rotateSecretKey } from './home-folder.ts';
import { StartError } from './start-error.ts';

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

test('O4: a new home is 0700, its parents are made', async () => {
  await using folder = await temporaryFolder();
  const home = join(folder.path, 'a', 'b');
  assert.equal(await prepareHome(home), undefined);
  assert.equal(await modeOf(home), 0o700);
});

test('O4: a home that others can read is closed and told', async () => {
  await using folder = await temporaryFolder();
  await chmod(folder.path, 0o755);
  assert.match(String(await prepareHome(folder.path)), /0700/);
  assert.equal(await modeOf(folder.path), 0o700);
  assert.equal(await prepareHome(folder.path), undefined);
});

test('O4: a file in the place of the home is refused by name', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'file');
  await writeFile(path, '');
  await assert.rejects(prepareHome(path), (error) => error instanceof StartError && error.message.includes(path) && error.exitCode === 2);
  await assert.rejects(prepareHome(join(path, 'below')), StartError);
});

const currentKey = async (home: string, secretKey?: string) => (await readSecretKeys(home, { secretKey })).current;
const asText = (keys: readonly Buffer[]) => keys.map((key) => key.toString('base64'));

test('O4: the secret key is made once, 0600, by ten starts at the same time', async () => {
  await using folder = await temporaryFolder();
  const keys = await Promise.all(Array.from({ length: 10 }, () => currentKey(folder.path)));
  assert.equal(new Set(keys.map((key) => key.toString('hex'))).size, 1);
  assert.equal(keys[0]?.length, 32);
  assert.equal(await modeOf(join(folder.path, 'secret.key')), 0o600);
  assert.deepEqual(await readdir(folder.path), ['secret.key']);
});

test('O4: a given key is used and not written down; a damaged file is named', async () => {
  await using folder = await temporaryFolder();
  const given = Buffer.alloc(32, 7);
  assert.deepEqual(await currentKey(folder.path, given.toString('base64')), given);
  assert.deepEqual(await readdir(folder.path), []);
  await writeFile(join(folder.path, 'secret.key'), 'AAAA');
  await assert.rejects(currentKey(folder.path), /secret\.key is damaged/);
  assert.deepEqual(await currentKey(folder.path, given.toString('base64')), given);
});

test('A16: a key is replaced twice, and the earlier ones are kept for their own user alone, each once', async () => {
  await using folder = await temporaryFolder();
  await assert.rejects(rotateSecretKey(folder.path), (error) => error instanceof StartError && /nothing to rotate/.test(error.message));
  const [first] = [await currentKey(folder.path)];
  await rotateSecretKey(folder.path);
  const second = await readSecretKeys(folder.path, {});
  assert.deepEqual(second.others, [first]);
  await rotateSecretKey(folder.path);
  const third = await readSecretKeys(folder.path, {});
  assert.deepEqual(asText(third.others), asText([second.current, first]));
  assert.equal(new Set(asText([third.current, ...third.others])).size, 3);
  for (const name of ['secret.key', 'secret.key.previous']) assert.equal(await modeOf(join(folder.path, name)), 0o600);
  assert.deepEqual((await readdir(folder.path)).toSorted(), ['secret.key', 'secret.key.previous'], 'no draft is left');
});

test('A16: a rotation that was cut between its two files leaves the key that holds, and is simply done again', async () => {
  await using folder = await temporaryFolder();
  const first = await currentKey(folder.path);
  await writeFile(join(folder.path, 'secret.key.previous'), `${first.toString('base64')}\n`, { mode: 0o600 });
  assert.deepEqual(await readSecretKeys(folder.path, {}), { current: first, others: [] });
  await rotateSecretKey(folder.path);
  assert.deepEqual((await readSecretKeys(folder.path, {})).others, [first]);
});

test('A16: keys of the environment, of the home and of earlier rotations open; a damaged file of earlier ones is named', async () => {
  await using folder = await temporaryFolder();
  const own = await currentKey(folder.path);
  const [given, earlier] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const keys = await readSecretKeys(folder.path, { secretKey: given.toString('base64'), previousKeys: asText([earlier, given]) });
  assert.deepEqual(keys, { current: given, others: [earlier, own] });
  await writeFile(join(folder.path, 'secret.key.previous'), 'AAAA\n');
  await assert.rejects(readSecretKeys(folder.path, {}), /secret\.key\.previous is damaged/);
});

test('O1: config.json is read when it is there', async () => {
  await using folder = await temporaryFolder();
  assert.equal(await readHomeFile(folder.path), undefined);
  await writeFile(join(folder.path, 'config.json'), '{}');
  assert.equal(await readHomeFile(folder.path), '{}');
  assert.equal(await readFile(join(folder.path, 'config.json'), 'utf8'), '{}');
});
