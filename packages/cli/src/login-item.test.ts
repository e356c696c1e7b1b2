import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from '@tendon/testing';
import { addLoginItem, removeLoginItem } from './login-item.ts';

const folder = await temporaryFolder();
const before = { HOME: process.env['HOME'], XDG_CONFIG_HOME: process.env['XDG_CONFIG_HOME'] };
Object.assign(process.env, { HOME: folder.path, XDG_CONFIG_HOME: join(folder.path, 'config') });
after(async () => {
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  await folder[Symbol.asyncDispose]();
});

const ODD = ['a b', 'quote"d', "it's", '$HOME `id` $(id)', 'back\\slash\\', '100%u', 'é 漢字', ';&|<>*?#~', ''];

test('O18: an entry of Linux starts exactly the command, whatever is in its words', async () => {
  const show = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))';
  const path = await addLoginItem({ name: 'office', command: [process.execPath, '-e', show, '--', ...ODD] }, 'linux');
  assert.equal(dirname(path), join(folder.path, 'config/autostart'));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const text = await readFile(path, 'utf8');
  assert.match(text, /^\[Desktop Entry\]\nType=Application\nName=Tendon \(office\)\nExec=".*"\nTerminal=false\n$/);
  // What the specification says a reader does: the value's escapes, the field codes, then quotes as a shell has them.
  const value = /^Exec=(.*)$/m.exec(text)?.[1]?.replaceAll('\\\\', '\\').replaceAll('%%', '%') ?? '';
  const { stdout } = await promisify(execFile)('sh', ['-c', value]);
  assert.deepEqual(JSON.parse(stdout), ODD);
});

test('O18: an entry of macOS holds the words as they are; each name has an entry of its own, and removing one leaves the others', async () => {
  const [one, other] = [await addLoginItem({ name: 'a/../b', command: ['<&>'] }, 'darwin'), await addLoginItem({ name: 'a', command: ['x'] }, 'darwin')];
  assert.equal(dirname(one), join(folder.path, 'Library/LaunchAgents'));
  assert.match(await readFile(one, 'utf8'), /<string>&lt;&amp;&gt;<\/string>/);
  assert.equal(await removeLoginItem('a/../b', 'darwin'), one);
  await removeLoginItem('a/../b', 'darwin');
  assert.deepEqual([existsSync(one), existsSync(other)], [false, true]);
});

test('O18: what cannot be is said: a control character in a word, a platform without such a thing', async () => {
  await assert.rejects(addLoginItem({ name: 'x', command: ['a\nExec=evil'] }, 'linux'), /control character.*rename it/);
  await assert.rejects(addLoginItem({ name: 'x\n', command: ['a'] }, 'darwin'), /control character/);
  await assert.rejects(addLoginItem({ name: 'x', command: ['a'] }, 'win32'), /no start at login for this platform \(win32\).*by hand/);
});
