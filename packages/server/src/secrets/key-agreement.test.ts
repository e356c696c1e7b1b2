import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { testDatabase } from '@tendon/testing';
import { pino } from 'pino';
import { StartError } from '../start-error.ts';
import { connect } from '../store/database.ts';
import { KeyAgreement } from './key-agreement.ts';
import { Keyring } from './keyring.ts';

const made = await testDatabase();
const [OLD, NEW, OTHER] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const log = pino({ level: 'silent' });
const { pool, close } = connect(made.url, log);
const joined = new Set<KeyAgreement>();
after(async () => {
  await Promise.all([...joined].map((agreement) => agreement.close()));
  await close();
  await made[Symbol.asyncDispose]();
});

async function node(current: Buffer, ...others: Buffer[]): Promise<AsyncDisposable> {
  const agreement = new KeyAgreement({ url: made.url, keyring: new Keyring(current, others), log });
  await agreement.join();
  joined.add(agreement);
  return { [Symbol.asyncDispose]: () => agreement.close() };
}

const refuses = (joining: Promise<unknown>) =>
  assert.rejects(joining, (error) => error instanceof StartError && /same TENDON_SECRET_KEY.*TENDON_SECRET_KEY_PREVIOUS/.test(error.message));

test('A18: nodes with one key live together; one with another key does not start', async () => {
  await using _one = await node(OLD);
  await using _two = await node(OLD);
  await refuses(node(NEW));
  await refuses(node(NEW, OTHER));
});

test('A18: one that opens our secrets and seals what we cannot open does not start either', async () => {
  await using _one = await node(OLD);
  await refuses(node(NEW, OLD));
  await using _two = await node(OLD, NEW);
  await refuses(node(NEW));
});

test('A18: a rotation goes from node to node: first the new key opens everywhere, then it seals', async () => {
  {
    await using _one = await node(OLD, NEW);
    await using _two = await node(OLD, NEW);
    await using _rotated = await node(NEW, OLD);
  }
  await using _one = await node(NEW, OLD);
  await using _two = await node(NEW);
});

test('A18: who has ended counts no more, also when its connection was cut', async () => {
  await (await node(OLD))[Symbol.asyncDispose]();
  await using _one = await node(NEW);
  await refuses(node(OLD));
});

test('A18: of two that start at once with different keys not both get in', async () => {
  for (let round = 0; round < 10; round += 1) {
    const outcomes = await Promise.allSettled([node(OLD), node(NEW)]);
    const joined = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    assert.ok(joined.length < 2, `round ${round}`);
    for (const { value } of joined) await value[Symbol.asyncDispose]();
  }
});

test('A18: a node whose connection is cut says again what it has', async () => {
  await using _one = await node(OLD);
  const holders = async () =>
    (await pool.query<{ pid: number }>(`select distinct pid from pg_locks where locktype = 'advisory' and objsubid = 2 and classid = 1952805377`)).rows;
  const [before, ...stale] = await holders();
  assert.deepEqual(stale, []);
  await pool.query('select pg_terminate_backend($1)', [before?.pid]);
  let now = before?.pid;
  while (now === undefined || now === before?.pid) now = (await holders())[0]?.pid;
  await refuses(node(NEW));
});

test('A18, D12: a node that the database does not answer gives up, and is no node', async () => {
  {
    await using _one = await node(OTHER);
    await pool.query(
      `create table other_key as select classid::bigint::int as kind, (objid::bigint::bit(32))::int as key from pg_locks
       where locktype = 'advisory' and objsubid = 2 and classid = 1952805378`,
    );
  }
  const holder = await pool.connect();
  await holder.query('select pg_advisory_lock(kind, key) from other_key');
  await assert.rejects(node(OTHER), /timeout/);
  holder.release(true);
  await using _other = await node(OTHER);
});
