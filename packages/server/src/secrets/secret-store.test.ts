import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { testDatabase } from '@tendon/testing';
import { pino } from 'pino';
import { ensureOwner } from '../auth/owner.ts';
import { connect, type Database } from '../store/database.ts';
import { fingerprint, Keyring } from './keyring.ts';
import { SecretStore } from './secret-store.ts';

const [OLD, NEW, OTHER] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const COUNT = 250;
const nameOf = (index: number) => `secret/${String(index).padStart(4, '0')}`;

interface Rig extends AsyncDisposable {
  readonly database: Database;
  readonly ownerId: string;
  store(current: Buffer, ...others: Buffer[]): SecretStore;
  set(store: SecretStore, name: string, text: string): Promise<void>;
}

async function rig(): Promise<Rig> {
  const made = await testDatabase();
  const database = connect(made.url, pino({ level: 'silent' }));
  const ownerId = await ensureOwner(database.pool);
  return {
    database,
    ownerId,
    store: (current, ...others) => new SecretStore(database.pool, new Keyring(current, others)),
    set: (store, name, text) => store.put({ scope: 'server', name }, text, { by: ownerId, at: new Date() }),
    async [Symbol.asyncDispose]() {
      await database.close();
      await made[Symbol.asyncDispose]();
    },
  };
}

const opened = async (store: SecretStore) => (await store.list('server')).map(({ name, opened: one }) => [name, one.ok ? one.text : one.fault]);

async function withMany(): Promise<Rig & { readonly expected: readonly string[][] }> {
  const made = await rig();
  const old = made.store(OLD);
  for (let index = 0; index < COUNT; index += 1) await made.set(old, nameOf(index), `value ${index}`);
  return { ...made, expected: Array.from({ length: COUNT }, (_, index) => [nameOf(index), `value ${index}`]) };
}

/** Resolves when a process of this name waits for a lock. */
async function untilItWaits(database: Database, application: string): Promise<void> {
  for (let found = 0; found === 0; ) {
    const { rowCount } = await database.pool.query(
      `select 1 from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock' and datname = current_database()`,
      [application],
    );
    found = rowCount ?? 0;
  }
}

test('A14: a secret is set, replaced, told with its person, and removed; the table has nothing in the clear', async () => {
  await using made = await rig();
  const store = made.store(OLD);
  await made.set(store, 'one', 'first-canary');
  await made.set(store, 'one', 'second-canary');
  const [row, ...more] = await store.list('server');
  assert.deepEqual([row?.opened, row?.setBy, row?.keyId, more], [{ ok: true, text: 'second-canary' }, 'Owner', fingerprint(OLD), []]);
  assert.deepEqual(await store.list('user'), []);
  const { rows } = await made.database.pool.query(`select encode(sealed, 'escape') as sealed, s::text as whole from secrets s`);
  assert.ok(!JSON.stringify(rows).includes('canary'));
  assert.equal(await store.remove({ scope: 'server', name: 'one' }), true);
  assert.equal(await store.remove({ scope: 'server', name: 'one' }), false);
});

test('A14, A17: a row that was put into another’s place, by whoever writes the table, costs itself alone', async () => {
  await using made = await rig();
  const store = made.store(OLD);
  for (const name of ['cheap', 'dear', 'untouched']) await made.set(store, name, name);
  await made.database.pool.query(`update secrets set sealed = (select sealed from secrets where name = 'dear') where name = 'cheap'`);
  assert.deepEqual(await opened(store), [
    ['cheap', 'damaged'],
    ['dear', 'dear'],
    ['untouched', 'untouched'],
  ]);
});

test('A16: everything is sealed anew, the earlier key is not needed any more, and a second time does nothing', async () => {
  await using made = await withMany();
  const rotated = made.store(NEW, OLD);
  assert.deepEqual(await rotated.reseal(), { resealed: COUNT, unopened: [] });
  assert.deepEqual(await rotated.keyUse(), [{ keyId: fingerprint(NEW), rows: COUNT }]);
  assert.deepEqual(await opened(made.store(NEW)), made.expected);
  assert.deepEqual(await rotated.reseal(), { resealed: 0, unopened: [] });
});

test('A16: killed in the middle every row opens, and the next start goes on where it ended', async () => {
  await using made = await withMany();
  const held = await made.database.pool.connect();
  await held.query('begin');
  await held.query('select 1 from secrets where name = $1 for update', [nameOf(120)]);
  const kit = join(import.meta.dirname, 'reseal.test-kit.ts');
  const child = spawn(process.execPath, [kit, made.database.url, NEW.toString('base64'), OLD.toString('base64')], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  await untilItWaits(made.database, 'resealing');
  child.kill('SIGKILL');
  await ended;
  const use = new Map((await made.store(NEW).keyUse()).map(({ keyId, rows }) => [keyId, rows]));
  assert.deepEqual([use.get(fingerprint(NEW)), use.get(fingerprint(OLD))], [120, COUNT - 120]);
  assert.deepEqual(await opened(made.store(NEW, OLD)), made.expected);
  await held.query('rollback');
  held.release();
  const rotated = made.store(NEW, OLD);
  const { resealed } = await rotated.reseal();
  // The statement that waited when its process was killed may still have been carried out.
  assert.ok(resealed === COUNT - 120 || resealed === COUNT - 121, `${resealed}`);
  assert.deepEqual(await opened(made.store(NEW)), made.expected);
});

test('A16: several nodes seal anew at once: each row once, and every one opens', async () => {
  await using made = await withMany();
  const outcomes = await Promise.all([1, 2, 3, 4].map(() => made.store(NEW, OLD).reseal()));
  assert.equal(
    outcomes.reduce((sum, { resealed }) => sum + resealed, 0),
    COUNT,
  );
  assert.deepEqual(await opened(made.store(NEW)), made.expected);
});

test('A16: a value that is set while its row is being sealed anew stays', async () => {
  await using made = await rig();
  const old = made.store(OLD);
  await made.set(old, 'one', 'before');
  const held = await made.database.pool.connect();
  const meanwhile = new SecretStore(held, new Keyring(OLD));
  await held.query('begin');
  await made.set(meanwhile, 'one', 'set meanwhile');
  const resealing = made.store(NEW, OLD).reseal();
  await untilItWaits(made.database, 'tendon');
  await held.query('commit');
  held.release();
  assert.deepEqual(await resealing, { resealed: 0, unopened: [] });
  assert.deepEqual(await opened(made.store(OLD)), [['one', 'set meanwhile']]);
  assert.deepEqual(await made.store(NEW, OLD).reseal(), { resealed: 1, unopened: [] });
});

test('A17: rows of a lost key, and damaged ones, are told, stay, and hold nothing else up', async () => {
  await using made = await rig();
  await made.set(made.store(OTHER), 'a lost one', 'gone');
  const old = made.store(OLD);
  for (const name of ['b damaged', 'c good']) await made.set(old, name, name);
  await made.database.pool.query(`update secrets set sealed = '\\x01' where name = 'b damaged'`);
  const rotated = made.store(NEW, OLD);
  assert.deepEqual(await rotated.reseal(), {
    resealed: 1,
    unopened: [
      { scope: 'server', name: 'a lost one', keyId: fingerprint(OTHER), fault: 'missing_key' },
      { scope: 'server', name: 'b damaged', keyId: fingerprint(OLD), fault: 'damaged' },
    ],
  });
  assert.deepEqual(await opened(rotated), [
    ['a lost one', 'missing_key'],
    ['b damaged', 'damaged'],
    ['c good', 'c good'],
  ]);
  assert.deepEqual(await made.store(NEW, OTHER).reseal(), {
    resealed: 1,
    unopened: [{ scope: 'server', name: 'b damaged', keyId: fingerprint(OLD), fault: 'missing_key' }],
  });
});
