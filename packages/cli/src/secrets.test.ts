import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CliRig, cliRig } from './cli-rig.ts';

const OWNER_KEY = 'owner-key-owner-key-owner-key-owner-key';
const CANARY = 'sk-canary-0123456789-canary-0123456789';

interface Server {
  readonly url: string;
  end(): Promise<void>;
}

async function startServer(rig: CliRig, env: Record<string, string> = {}): Promise<Server> {
  const run = rig.run(['server', '--port', '0'], { TENDON_OWNER_KEY: OWNER_KEY, ...env });
  const [, url = ''] = await run.said(/Tendon server runs at (\S+)/);
  const end = async () => {
    run.child.kill('SIGTERM');
    const { code, stdout, stderr } = await run.done;
    assert.equal(code, 0);
    assert.ok(!(stdout + stderr).includes('canary'));
  };
  return { url, end };
}

const ask = (url: string, path: string, init: RequestInit = {}) => fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${OWNER_KEY}` } });

test('A16, H15, O19, O12: the key of a home is replaced; what was stored opens, and doctor and status say with which key', { timeout: 120_000 }, async () => {
  await using rig = await cliRig();
  const first = await startServer(rig);
  assert.equal((await ask(first.url, '/api/providers/openai', { method: 'POST', body: JSON.stringify({ key: CANARY }) })).status, 200);
  const refused = await rig.run(['secrets', 'rotate']).done;
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /Tendon runs on .*: stop it, rotate, and start it again/);
  const doctor = await rig.run(['doctor'], { TENDON_MODEL: 'openai/gpt-5' }).done;
  assert.match(doctor.stdout, /secrets +1 secret sealed with [0-9a-f]{16} \(the current key\)/);
  assert.match(doctor.stdout, /model +openai\/gpt-5, with the key that was entered on the page Models/);
  await first.end();

  const before = (await readFile(join(rig.home, 'secret.key'), 'utf8')).trim();
  const status = await rig.run(['secrets', 'status']).done;
  assert.match(status.stdout, /^1 secret sealed with [0-9a-f]{16} \(the current key\)\n$/);
  const rotated = await rig.run(['secrets', 'rotate']).done;
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.match(rotated.stdout, /^1 secret sealed with [0-9a-f]{16} \(the current key\)\n$/);
  assert.notEqual(rotated.stdout, status.stdout, 'another key has sealed it');
  assert.equal((await readFile(join(rig.home, 'secret.key.previous'), 'utf8')).trim(), before);
  for (const { stdout, stderr } of [doctor, status, rotated]) assert.ok(!(stdout + stderr).includes(before) && !(stdout + stderr).includes('canary'));

  const second = await startServer(rig);
  assert.match(await (await ask(second.url, '/api/providers')).text(), /"lastCharacters":"6789"/);
  await second.end();
});

test('O19: a key of the environment is not replaced here, and the way to do it is told; a lost key is named with what to do', {
  timeout: 120_000,
}, async () => {
  await using rig = await cliRig();
  const [one, two] = [Buffer.alloc(32, 1).toString('base64'), Buffer.alloc(32, 2).toString('base64')];
  const refused = await rig.run(['secrets', 'rotate'], { TENDON_SECRET_KEY: one }).done;
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /openssl rand -base64 32.*TENDON_SECRET_KEY_PREVIOUS.*several servers/);
  const shared = await rig.run(['secrets', 'rotate'], { TENDON_DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' }).done;
  assert.equal(shared.code, 2);
  assert.match(shared.stderr, /Several servers may share.*TENDON_SECRET_KEY/);
  const server = await startServer(rig, { TENDON_SECRET_KEY: one });
  await ask(server.url, '/api/providers/openai', { method: 'POST', body: JSON.stringify({ key: CANARY }) });
  await server.end();
  const lost = await rig.run(['secrets', 'status'], { TENDON_SECRET_KEY: two }).done;
  assert.equal(lost.code, 0, lost.stderr);
  assert.match(lost.stdout, /1 secret sealed with [0-9a-f]{16} \(a key that is not here\)/);
  assert.match(lost.stderr, /TENDON_SECRET_KEY_PREVIOUS/);
  const found = await rig.run(['secrets', 'status'], { TENDON_SECRET_KEY: two, TENDON_SECRET_KEY_PREVIOUS: one }).done;
  assert.match(found.stdout, /1 secret sealed with [0-9a-f]{16} \(the current key\)/);
});
