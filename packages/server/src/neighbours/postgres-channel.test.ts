import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { after, test } from 'node:test';
import { emits, testDatabase, until } from '@tendon/testing';
import pg from 'pg';
import { pino } from 'pino';
import type { NoticeChannel } from './notice-channel.ts';
import { postgresChannel } from './postgres-channel.ts';

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
const database = stack.use(await testDatabase());

interface Node extends AsyncDisposable {
  readonly channel: NoticeChannel;
  readonly heard: string[];
  missed: number;
  until(check: () => boolean): Promise<unknown>;
}

async function openNode(name: string): Promise<Node> {
  const channel = postgresChannel({ url: database.url, node: name, log: pino({ level: 'silent' }) });
  const changed = new EventEmitter();
  const node: Node = {
    channel,
    heard: [],
    missed: 0,
    until: (check) => until({ what: `node ${name} to hear it`, check, on: emits(changed, 'change') }),
    [Symbol.asyncDispose]: () => channel.close(),
  };
  const tell = (): void => void changed.emit('change');
  channel.listen({
    heard: (text) => {
      node.heard.push(text);
      tell();
    },
    missed: () => {
      node.missed += 1;
      tell();
    },
  });
  // That it listens is told as a loss of what came before.
  await node.until(() => node.missed > 0);
  return node;
}

async function cutAll(): Promise<number> {
  const client = new pg.Client(database.url);
  await client.connect();
  const cut = await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tendon notices' and datname = current_database()`,
  );
  await client.end();
  return cut.rowCount ?? 0;
}

test('N8: notices reach every other node in order, whatever their length, and not their sender', async () => {
  await using one = await openNode('one');
  await using two = await openNode('two');
  await using three = await openNode('three');
  const texts = Array.from({ length: 300 }, (_, index) => JSON.stringify({ index, filler: 'ü'.repeat(index * 20) }));
  for (const text of texts) one.channel.send(text);
  for (const other of [two, three]) {
    await other.until(() => other.heard.length >= texts.length);
    assert.deepEqual(
      other.heard.map((text) => JSON.parse(text).index),
      texts.map((_, index) => index),
    );
    assert.equal(JSON.parse(other.heard.at(-1) ?? '').filler.length, 299 * 20);
  }
  assert.deepEqual(one.heard, []);
});

test('N8: a connection that is cut is made again, what may be missing is told, and notices are heard again', async () => {
  await using one = await openNode('one');
  await using two = await openNode('two');
  const before = two.missed;
  // Those of the test before may still be on their way out.
  assert.ok((await cutAll()) >= 2);
  await two.until(() => two.missed > before);
  await one.until(() => one.missed > 1);
  one.channel.send('"again"');
  await two.until(() => two.heard.includes('"again"'));
});

test('N8: what waits to be sent is bounded; what is dropped is missed by those who listen', async () => {
  await using one = await openNode('one');
  await using two = await openNode('two');
  const before = two.missed;
  for (let index = 0; index < 6_000; index += 1) one.channel.send(JSON.stringify(index));
  // The first leaves alone, and all that waits until it has arrived: the second tells that there is room again.
  await two.until(() => two.heard.length > 1);
  one.channel.send('"late"');
  await two.until(() => two.heard.includes('"late"'));
  assert.ok(two.missed > before);
  assert.ok(two.heard.length < 6_000);
});

test('N8: closing sends what still waits', async () => {
  const one = await openNode('one');
  await using two = await openNode('two');
  for (let index = 0; index < 500; index += 1) one.channel.send(JSON.stringify(index));
  await one.channel.close();
  await two.until(() => two.heard.length === 500);
  one.channel.send('"after"');
});
