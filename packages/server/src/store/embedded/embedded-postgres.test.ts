import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { type TemporaryFolder, temporaryFolder, until } from '@tendon/testing';
import pg from 'pg';
import { pino } from 'pino';
import { StartError } from '../../start-error.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts';

const KIT = join(import.meta.dirname, 'owner.test-kit.ts');
const NOBODY = { uid: 65_534, gid: 65_534 };
const log = pino({ level: 'silent' });
const isRoot = process.getuid?.() === 0;

/** One cluster is made for all tests; those that break theirs take a copy. */
let folder: TemporaryFolder;
let home = '';

before(async () => {
  folder = await temporaryFolder();
  home = join(folder.path, 'deep', 'db');
});

after(async () => {
  await folder[Symbol.asyncDispose]();
});

const start = (dataDir = home): Promise<EmbeddedPostgres> => startEmbeddedPostgres({ dataDir, log });

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

function copyOf(name: string): string {
  const copy = join(folder.path, name);
  execFileSync('cp', ['-Rp', home, copy]);
  return copy;
}

interface Owner {
  readonly process: ChildProcess;
  readonly said: { url: string; pid: number; refused?: string };
}

async function ownerProcess(dataDir: string, identity: Partial<typeof NOBODY> = {}): Promise<Owner> {
  const child = spawn(process.execPath, [KIT, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, OPENAI_API_KEY: 'sk-secret' },
    ...identity,
  });
  const [line] = await once(createInterface(child.stdout), 'line');
  return { process: child, said: JSON.parse(String(line)) };
}

async function kill(owner: Owner): Promise<void> {
  owner.process.kill('SIGKILL');
  if (owner.process.exitCode === null && owner.process.signalCode === null) await once(owner.process, 'exit');
}

/** Dead, or dead and not yet collected by whoever has to. */
function isGone(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('Z') ?? true;
  } catch {
    return true;
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

const gone = (pid: number) => until({ what: `the end of process ${pid}`, check: () => isGone(pid), pollMs: 5 });

test('D1: the first start makes the database, the next finds what was written', async () => {
  const first = await start();
  await query(first.url, `create table kept (word text); insert into kept values ('hello')`);
  await first.close();
  const second = await start();
  assert.deepEqual(await query(second.url, 'select word from kept'), [{ word: 'hello' }]);
  await second.close();
});

test('D1: a first start that was killed leaves nothing in the way of the next', async () => {
  const target = join(folder.path, 'half-made');
  mkdirSync(join(target, 'unfinished-abc'), { recursive: true });
  writeFileSync(join(target, 'unfinished-abc', 'PG_VERSION'), '18\n');
  const server = await start(target);
  assert.equal(existsSync(join(target, 'unfinished-abc')), false);
  await server.close();
});

test('D2, I19: a second owner is refused by name of folder and process, and the first goes on', async () => {
  const first = await start();
  try {
    const other = await ownerProcess(home);
    assert.match(other.said.refused ?? '', new RegExp(`${home} is in use by another Tendon \\(process ${process.pid}\\)`));
    await assert.rejects(start(), StartError);
    assert.equal((await query(first.url, 'select 1 as one')).length, 1);
  } finally {
    await first.close();
  }
});

test('D2: of many who start together one becomes the owner', async () => {
  const owners = await Promise.all([1, 2, 3].map(() => ownerProcess(home)));
  assert.equal(owners.filter((owner) => owner.said.refused === undefined).length, 1);
  await Promise.all(owners.map(kill));
});

test('D3: the database ends when its owner is killed', async () => {
  const owner = await ownerProcess(home);
  await kill(owner);
  await gone(owner.said.pid);
});

test('D4: after a kill of everything it starts again with all that was committed', async () => {
  const owner = await ownerProcess(home);
  await query(owner.said.url, `create table if not exists survivors (n int); insert into survivors values (1)`);
  process.kill(owner.said.pid, 'SIGKILL');
  await kill(owner);
  const server = await start();
  assert.deepEqual(await query(server.url, 'select count(*)::int as n from survivors'), [{ n: 1 }]);
  await server.close();
});

test('D4: a lock file whose process id now belongs to another program does not stop the start', async () => {
  const copy = copyOf('stale-note');
  writeFileSync(join(copy, 'data', 'postmaster.pid'), `${process.pid}\n${join(copy, 'data')}\n1\n5432\n.\n\n  1 1\nready   \n`);
  const server = await start(copy);
  await server.close();
});

test('D5: a server that outlived its owner is stopped before the next start', async () => {
  const owner = await ownerProcess(home);
  const watchers = readdirSync('/proc').filter((pid) => commandOf(pid).startsWith('/bin/sh') && commandOf(pid).endsWith(`\0${owner.said.pid}\0`));
  assert.equal(watchers.length, 1);
  for (const pid of watchers) process.kill(Number(pid), 'SIGKILL');
  await kill(owner);
  assert.equal(isGone(owner.said.pid), false);
  const server = await start();
  assert.notEqual(server.pid, owner.said.pid);
  assert.equal(isGone(owner.said.pid), true);
  await server.close();
});

test('D6: only its own user may enter the folder, and no port is open', async () => {
  const server = await start();
  const data = statSync(join(home, 'data'));
  assert.equal(data.mode & 0o077, 0);
  assert.equal(data.uid === 0, false);
  assert.deepEqual(await query(server.url, 'show listen_addresses'), [{ listen_addresses: '' }]);
  if (isRoot) {
    const probe = `require('node:net').connect(${JSON.stringify(join(home, 'data', '.s.PGSQL.5432'))}).on('connect',()=>console.log('in')).on('error',(e)=>console.log(e.code))`;
    chmodSync(folder.path, 0o755);
    const stranger = spawnSync(process.execPath, ['-e', probe], { ...NOBODY, encoding: 'utf8' });
    assert.notEqual(stranger.stdout.trim(), 'in');
  }
  await server.close();
});

test('D6: an ordinary user starts it as well', async () => {
  const target = join(folder.path, 'ordinary');
  mkdirSync(target);
  chmodSync(folder.path, 0o755);
  const canBeOther = isRoot && spawnSync(process.execPath, ['--check', KIT], NOBODY).status === 0;
  const identity = canBeOther ? NOBODY : {};
  if (canBeOther) chownSync(target, NOBODY.uid, NOBODY.gid);
  const owner = await ownerProcess(target, identity);
  assert.equal(owner.said.refused, undefined);
  assert.equal(statSync(join(target, 'data')).uid === 0, false);
  await kill(owner);
  await gone(owner.said.pid);
});

test('D6: the database sees none of our secrets', async () => {
  const owner = await ownerProcess(home);
  const environment = existsSync(`/proc/${owner.said.pid}/environ`) ? readFileSync(`/proc/${owner.said.pid}/environ`, 'utf8') : '';
  assert.equal(environment.includes('sk-secret'), false);
  await kill(owner);
  await gone(owner.said.pid);
});

test('D6: a path too long for a socket is reached all the same', async () => {
  const copy = copyOf(`long-${'x'.repeat(100)}`);
  const server = await start(copy);
  assert.equal((await query(server.url, 'select 1 as one')).length, 1);
  await server.close();
});

for (const [name, damage] of [
  ['its control file is gone', (data: string) => rmSync(join(data, 'global', 'pg_control'))],
  ['its control file is garbage', (data: string) => writeFileSync(join(data, 'global', 'pg_control'), 'garbage')],
  ['its version cannot be read', (data: string) => writeFileSync(join(data, 'PG_VERSION'), 'x')],
  ['another version made it', (data: string) => writeFileSync(join(data, 'PG_VERSION'), '17\n')],
  ['its log of changes is gone', (data: string) => rmSync(join(data, 'pg_wal'), { recursive: true })],
] as const) {
  test(`D7: a folder is refused by name when ${name}`, async () => {
    const copy = copyOf('damaged');
    damage(join(copy, 'data'));
    await assert.rejects(
      start(copy),
      (error: unknown) => error instanceof StartError && error.message.includes(join(copy, 'data')) && !error.message.includes('\n'),
    );
    rmSync(copy, { recursive: true });
  });
}

test('D7: a folder that cannot be made is refused by name', async () => {
  const file = join(folder.path, 'a-file');
  writeFileSync(file, '');
  await assert.rejects(start(join(file, 'db')), (error: unknown) => error instanceof StartError && error.message.includes(file));
});

test('D8: closing twice ends it once and frees the folder', async () => {
  const server = await start();
  await Promise.all([server.close(), server.close()]);
  await server.close();
  assert.equal(isGone(server.pid), true);
  const again = await start();
  await again.close();
});

test('D8: a server that ends by itself says so and leaves the folder free', async () => {
  const server = await start();
  process.kill(server.pid, 'SIGKILL');
  await server.exited;
  const again = await start();
  await again.close();
});

test('D9: a start from existing data makes nothing anew', async () => {
  const made = statSync(join(home, 'data', 'PG_VERSION'));
  const server = await start();
  await server.close();
  const found = statSync(join(home, 'data', 'PG_VERSION'));
  assert.deepEqual([found.ino, found.mtimeMs], [made.ino, made.mtimeMs]);
});
