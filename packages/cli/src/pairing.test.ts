import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
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
  await within('the gateway to end', run.done, 15_000);
}

const keptFiles = async (): Promise<string[]> => readdir(join(here.home, 'gateway', 'paired')).catch(() => []);

test('O15, H27: a machine is denied, then approved; its next start needs no code; a revoked key is forgotten', async () => {
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
  const listed = await there.run(['key', 'list']).done;
  const id = /^(\S+) .* office$/m.exec(listed.stdout)?.[1] ?? '';
  assert.equal((await there.run(['key', 'revoke', id]).done).code, 0);
  const ended = await within('the gateway to end', second.done, 15_000);
  assert.match(ended.stderr, /no longer accepts this machine/);

  const third = await machine().done;
  assert.match(third.stderr, /Its pairing has ended: start it again to pair it anew/);
  assert.deepEqual(await keptFiles(), []);
  const fourth = machine();
  await codeOf(fourth);
  await end(fourth);
  for (const { stdout, stderr } of [ended, third]) assert.ok(!(stdout + stderr).includes(kept.key));
});
