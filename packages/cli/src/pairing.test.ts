import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { within } from '@tendon/testing';
import { type CliRun, cliRig } from './cli-rig.ts';

/** The server's home, and that of the machine, which knows nothing of the other. */
const [there, here] = [await cliRig(), await cliRig()];
after(async () => {
  await here[Symbol.asyncDispose]();
  await there[Symbol.asyncDispose]();
});

const readyFile = join(there.workspace, 'ready.json');
const server = there.run(['server', '--port', '0', '--ready-file', readyFile], { TENDON_MODEL: 'demo' });
await server.said(/listens|ready|http:\/\//);
const { url } = await readReady();
const key = (await there.run(['key', 'create', 'a person']).done).stdout.trim();

async function readReady(): Promise<{ url: string }> {
  for (;;) {
    try {
      return JSON.parse(await readFile(readyFile, 'utf8')) as { url: string };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

const machine = (): CliRun => here.run(['gateway', '--server', url, '--name', 'office']);

async function decide(code: string, decision: 'approve' | 'deny'): Promise<void> {
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
  const seen = await fetch(`${url}/api/pair/${code}`, { headers });
  assert.equal(((await seen.json()) as { machine: { name: string } }).machine.name, 'office');
  assert.equal((await fetch(`${url}/api/pair/${code}`, { method: 'POST', headers, body: JSON.stringify({ decision }) })).status, 200);
}

async function codeOf(run: CliRun): Promise<string> {
  await run.said(new RegExp(`open ${url}/pair and enter the code`));
  return (await run.said(/^ {4}([A-Z]{4}-[A-Z]{4})$/m))[1] ?? '';
}

async function end(run: CliRun): Promise<void> {
  run.child.kill('SIGTERM');
  await within('the process to end', run.done, 15_000);
}

async function revokeLiveKey(): Promise<void> {
  const id = /^(\S+) .* live .* office$/m.exec((await there.run(['key', 'list']).done).stdout)?.[1] ?? '';
  assert.equal((await there.run(['key', 'revoke', id]).done).code, 0);
}

const keptFiles = async (): Promise<string[]> => readdir(join(here.home, 'gateway', 'paired')).catch(() => []);

test('O15, H27: a machine is denied, then approved; its next start needs no code; a key that is revoked ends it', async () => {
  const denied = machine();
  await decide(await codeOf(denied), 'deny');
  const outcome = await denied.done;
  assert.equal(outcome.code, 2);
  assert.match(outcome.stderr, /error: the pairing was denied/);
  assert.deepEqual(await keptFiles(), []);

  const first = machine();
  await decide(await codeOf(first), 'approve');
  await first.said(/This machine is connected to/);
  const [name = ''] = await keptFiles();
  const path = join(here.home, 'gateway', 'paired', name);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const kept = JSON.parse(await readFile(path, 'utf8')) as { key: string };
  await end(first);

  const second = machine();
  await second.said(/This machine is connected to/);
  await revokeLiveKey();
  const ended = await within('the gateway to end', second.done, 15_000);
  assert.match(ended.stderr, /no longer accepts this machine/);
  assert.deepEqual(await keptFiles(), [], 'a key that is revoked while it is used is forgotten');
  assert.ok(!(ended.stdout + ended.stderr).includes(kept.key));
});

test('O15, H35: a terminal is let in as one, keeps its key for this server, and is told when it was revoked, in the middle and at its next start', async () => {
  const chat = (input: string | null): CliRun => here.run(['chat', '--server', url], {}, input);
  const first = chat('hello\n');
  const code = await codeOf(first);
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
  const seen = (await (await fetch(`${url}/api/pair/${code}`, { headers })).json()) as { machine: { kind: string; name: string } };
  assert.deepEqual([seen.machine.kind, seen.machine.name], ['terminal', hostname()]);
  assert.equal((await fetch(`${url}/api/pair/${code}`, { method: 'POST', headers, body: JSON.stringify({ decision: 'approve' }) })).status, 200);
  const outcome = await within('the chat to end', first.done, 30_000);
  assert.equal(outcome.code, 0, outcome.stderr);
  const folder = join(here.home, 'terminal', 'paired');
  const [name = ''] = await readdir(folder);
  const path = join(folder, name);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const text = await readFile(path, 'utf8');
  const kept = JSON.parse(text) as { key: string; serverUrl: string };
  assert.equal(kept.serverUrl, url);
  assert.equal((await fetch(`${url}/api/keys`, { headers: { Authorization: `Bearer ${kept.key}` } })).status, 403, 'it looks after no keys');

  const second = chat(null);
  const [, sessionId = ''] = await second.said(/^Session (\S+) with demo/m);
  const listed = (await there.run(['key', 'list']).done).stdout;
  const [, id = ''] = new RegExp(`^(\\S+) .* read\\+write\\+approve +live .* ${hostname()} \\(terminal\\)$`, 'm').exec(listed) ?? assert.fail(listed);
  assert.equal((await there.run(['key', 'revoke', id]).done).code, 0);
  const ended = await within('the chat to end', second.done, 15_000);
  assert.equal(ended.code, 2);
  assert.ok(ended.stderr.includes(`its key was revoked. To pair it again and go on: tendon chat ${sessionId} --server ${url}`), ended.stderr);
  assert.deepEqual(await readdir(folder), [], 'a key that is revoked while it is used is forgotten');
  assert.ok(!(outcome.stdout + outcome.stderr + ended.stdout + ended.stderr).includes(kept.key));

  await writeFile(path, text, { mode: 0o600 });
  const third = chat(null);
  await third.said(/no longer accepts this terminal: its key was revoked/);
  await codeOf(third);
  assert.deepEqual(await readdir(folder), []);
  await end(third);
});

test('O15: a terminal that is given a key asks for nothing and keeps nothing', async () => {
  const outcome = await within('the chat to end', here.run(['chat', '--server', url], { TENDON_API_KEY: key }, 'hello\n').done, 30_000);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.doesNotMatch(outcome.stderr, /enter the code/);
  assert.deepEqual(await readdir(join(here.home, 'terminal', 'paired')), []);
});

test('O15: a key that was revoked meanwhile is forgotten at the next start; one that was not used is kept', async () => {
  const first = machine();
  await decide(await codeOf(first), 'approve');
  await first.said(/This machine is connected to/);
  await end(first);
  const other = await here.run(['gateway', '--server', url, '--name', 'office'], { TENDON_API_KEY: `tnd_${'A'.repeat(43)}` }).done;
  assert.match(other.stderr, /the server refused this machine \(unauthorized\)/);
  assert.doesNotMatch(other.stderr, /pairing/);
  assert.equal((await keptFiles()).length, 1);

  await revokeLiveKey();
  const refused = await machine().done;
  assert.match(refused.stderr, /Its pairing has ended: start it again to pair it anew/);
  assert.deepEqual(await keptFiles(), []);
});

test('O18: a paired machine says that it starts at login from now on, as it was started, and that it does not any more', async () => {
  const first = here.run(['gateway', '--server', url, '--name', 'office', '--at-login'], { TENDON_RELAY_PORT: '4711', TENDON_BROWSER_PATH: 'a-browser' });
  await decide(await codeOf(first), 'approve');
  const [, path = ''] = await first.said(/starts like this whenever you log in \((\S+)\)\. --no-at-login ends that/);
  await first.said(/This machine is connected to/);
  await end(first);
  const entry = await readFile(path, 'utf8');
  assert.ok(path.startsWith(join(dirname(here.home), '.config/autostart/')));
  for (const word of [
    'Exec="/usr/bin/env" "PATH=',
    '"TENDON_RELAY_PORT=4711"',
    `"TENDON_BROWSER_PATH=${resolve('a-browser')}"`,
    '"--max-semi-space-size=1" "--no-experimental-websocket"',
    'main.js" "gateway"',
    `"--server" "${url}"`,
    `"--home" "${here.home}"`,
    `"--workspace" "${here.workspace}"`,
    '"--name" "office"',
  ])
    assert.ok(entry.includes(word), `${word} in ${entry}`);
  assert.doesNotMatch(entry, /tnd_/);
  const again = here.run(['gateway', '--server', url, '--name', 'office', '--no-at-login']);
  await again.said(/does not start at login any more/);
  await end(again);
  assert.equal(existsSync(path), false);
});

test('O18: a machine that is given a key from outside cannot start at login, and is told how it can', async () => {
  const refused = await here.run(['gateway', '--server', url, '--name', 'other', '--at-login'], { TENDON_API_KEY: key }).done;
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /^error: a start at login has no TENDON_API_KEY: start once without it/m);
});
