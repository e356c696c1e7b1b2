import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '@tendon/testing';
import { type CliRig, type CliRun, cliRig } from './cli-rig.ts';

let rig: CliRig;
let started: CliRun;
let ready: { url: string; pid: number; port: number };
const readyPath = () => join(rig.home, 'ready.json');
const SECRET = 'owner-secret-owner-secret-owner-secret';

before(async () => {
  rig = await cliRig();
  started = rig.run(['start', '--port', '0', '--no-open', '--ready-file', readyPath()], {
    TENDON_OWNER_KEY: SECRET,
    OPENAI_API_KEY: SECRET,
    TENDON_MODEL: 'demo',
  });
  ready = await readyFacts(started);
});
after(() => rig[Symbol.asyncDispose]());

/** What the ready file says; rejects when the process ends before it is there. */
async function readyFacts(run: CliRun): Promise<typeof ready> {
  const isThere = until({ what: 'the ready file', check: () => existsSync(readyPath()), pollMs: 20, deadlineMs: 60_000 });
  await Promise.race([isThere, run.said(/(?!)/)]);
  return JSON.parse(await readFile(readyPath(), 'utf8')) as typeof ready;
}

function gatewayPid(): number | undefined {
  const children = readText(`/proc/${ready.pid}/task/${ready.pid}/children`).split(' ').map(Number);
  return children.find((pid) => pid > 0 && readText(`/proc/${pid}/cmdline`).includes('\0gateway\0'));
}

/** Of a file that may be gone. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

test('O8: the ready file names address, process and port; the server answers there', async () => {
  assert.deepEqual(Object.keys(ready).sort(), ['pid', 'port', 'url']);
  assert.equal(ready.url, `http://127.0.0.1:${ready.port}`);
  assert.equal(ready.pid, started.child.pid);
  assert.equal((await stat(readyPath())).mode & 0o777, 0o600);
  assert.equal((await fetch(`${ready.url}/readyz`)).status, 200);
});

test('H4: the printed link signs in, once', async () => {
  const [, link = ''] = await started.said(/Sign in: (http\S+)/);
  const first = await fetch(link, { redirect: 'manual' });
  assert.equal(first.status, 303);
  assert.match(String(first.headers.get('set-cookie')), /HttpOnly/);
  assert.equal((await fetch(link, { redirect: 'manual' })).status, 401);
});

test('O7: a second start says where the first one runs, with a fresh link, and disturbs nothing', async () => {
  const second = await rig.run(['start', '--port', '0', '--no-open']).done;
  assert.equal(second.code, 2);
  assert.match(second.stderr, new RegExp(`Tendon already runs at ${ready.url} .*process ${ready.pid}.*sign in: ${ready.url}/sign-in\\?token=`));
  assert.equal((await rig.run(['server', '--port', '0']).done).code, 2);
  assert.equal((await fetch(`${ready.url}/readyz`)).status, 200);
});

test('O11: keys are made, listed and revoked while the server runs', async () => {
  const made = await rig.run(['key', 'create', 'my script']).done;
  assert.equal(made.code, 0, made.stderr);
  const key = made.stdout.trim();
  assert.match(key, /^tnd_[A-Za-z0-9_-]{43}$/);
  const ask = () => fetch(`${ready.url}/api/me`, { headers: { Authorization: `Bearer ${key}` } });
  assert.equal((await ask()).status, 200);
  const listed = await rig.run(['key', 'list', '--server', ready.url], { TENDON_API_KEY: key }).done;
  const id = /^(\S+) .* live .* my script$/m.exec(listed.stdout)?.[1];
  assert.ok(id !== undefined && !listed.stdout.includes(key), listed.stdout + listed.stderr);
  assert.equal((await rig.run(['key', 'revoke', id]).done).code, 0);
  assert.equal((await ask()).status, 401);
});

test('O10: the gateway has none of the secrets, is restarted when killed, and comes back online', async () => {
  const first = gatewayPid();
  assert.ok(first !== undefined);
  const seen = (await readFile(`/proc/${first}/environ`, 'utf8')) + (await readFile(`/proc/${first}/cmdline`, 'utf8'));
  assert.ok(!seen.includes(SECRET) && !seen.includes('tnd_'));
  process.kill(first, 'SIGKILL');
  await started.said(/the gateway ended \(SIGKILL\); starting it again in \d+ ms/);
  const second = await until({ what: 'another gateway', check: () => gatewayPid() !== first && gatewayPid(), pollMs: 20 });
  assert.notEqual(second, first);
});

test('O12: doctor says what works, where each setting is from, and no secret', async () => {
  const outcome = await rig.run(['doctor'], { OPENAI_API_KEY: SECRET, TENDON_PROT: '1' }).done;
  assert.equal(outcome.code, 0, outcome.stdout);
  assert.match(outcome.stdout, new RegExp(`a server runs at ${ready.url}`));
  assert.match(outcome.stdout, /OPENAI_API_KEY +\(hidden, 38 characters\) +environment/);
  assert.match(outcome.stdout, /TENDON_LOG_LEVEL +info +default/);
  assert.match(outcome.stdout, /ok {2}terminals +programs that want a terminal/);
  assert.match(outcome.stdout, /perhaps misspelt: TENDON_PROT/);
  assert.ok(!outcome.stdout.includes(SECRET));
  const broken = await rig.run(['doctor'], { TENDON_PORT: 'abc' }).done;
  assert.equal(broken.code, 1);
  assert.match(broken.stdout, /TENDON_PORT is "abc"/);
});

test('O9: SIGTERM ends everything with code 0 within 10 s; ready file, lock and gateway are gone', async () => {
  const gateway = gatewayPid();
  const begun = performance.now();
  started.child.kill('SIGTERM');
  const outcome = await started.done;
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.ok(performance.now() - begun < 10_000);
  assert.ok(!existsSync(readyPath()) && !existsSync(join(rig.home, 'run', 'server.json')));
  assert.ok(gateway === undefined || !existsSync(`/proc/${gateway}`));
  assert.ok(!(outcome.stdout + outcome.stderr).includes(SECRET));
});

test('O11: keys are made and listed without a running server', async () => {
  const made = await rig.run(['key', 'create', 'offline']).done;
  assert.equal(made.code, 0, made.stderr);
  const listed = await rig.run(['key', 'list']).done;
  assert.match(listed.stdout, /live .* offline$/m);
  assert.ok(!existsSync(join(rig.home, 'run', 'server.json')));
});

test('O10: when the parent is killed, the gateway ends by itself, and the next start works', async () => {
  const next = rig.run(['start', '--port', '0', '--no-open', '--ready-file', readyPath()]);
  ready = await readyFacts(next);
  const gateway = gatewayPid();
  assert.ok(gateway !== undefined);
  next.child.kill('SIGKILL');
  await until({ what: 'the end of the gateway', check: () => !existsSync(`/proc/${gateway}`), pollMs: 20 });
  await next.done;
  const again = rig.run(['server', '--port', '0']);
  await again.said(/Tendon server runs at/);
  again.child.kill('SIGINT');
  assert.equal((await again.done).code, 0);
});
