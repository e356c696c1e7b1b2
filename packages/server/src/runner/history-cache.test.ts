import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '@tendon/protocol';
import type { StoredCall } from '../kernel/index.ts';
import type { HistoryRows } from '../store/session-store.ts';
import { HistoryCache } from './history-cache.ts';

function message(seq: number): Message {
  return {
    id: `m${seq}`,
    sessionId: 's',
    seq,
    role: 'user',
    state: 'complete',
    parts: [{ type: 'text', text: `${seq}` }],
    createdAt: '2026-11-22T12:00:00.000Z',
  };
}

/** Rows in memory, and a count of those handed out. */
class Rows {
  readonly messages: Message[] = [];
  calls: StoredCall[] = [];
  handedOut = 0;
  settled = 0;

  async historyAfter(_sessionId: string, afterSeq: number, limit: number): Promise<HistoryRows> {
    const messages = this.messages.filter((row) => row.seq > afterSeq).slice(-limit);
    this.handedOut += messages.length;
    return { messages, calls: this.calls, settled: this.settled };
  }
}

test('R4: a turn reads only the rows that are newer than those it has', async () => {
  for (const length of [100, 10_000]) {
    const rows = new Rows();
    for (let seq = 1; seq <= length; seq += 1) rows.messages.push(message(seq));
    const cache = new HistoryCache(rows);
    await cache.load('s');
    assert.ok(rows.handedOut <= 1_000, 'the first load is bounded');
    rows.handedOut = 0;
    rows.messages.push(message(length + 1), message(length + 2));
    const items = await cache.load('s');
    assert.equal(rows.handedOut, 2);
    assert.equal(items.at(-1)?.message.seq, length + 2);
    assert.equal(items.at(-3)?.message.seq, length);
  }
});

test('R4: a session that was forgotten is read again', async () => {
  const rows = new Rows();
  rows.messages.push(message(1));
  const cache = new HistoryCache(rows);
  await cache.load('s');
  cache.forget('s');
  await cache.load('s');
  assert.equal(rows.handedOut, 2);
});

test('N9: another count of settled outcomes begins the history anew', async () => {
  const rows = new Rows();
  rows.messages.push(message(1), message(2));
  const cache = new HistoryCache(rows);
  await cache.load('s');
  rows.handedOut = 0;
  rows.settled = 1;
  const items = await cache.load('s');
  assert.deepEqual([items.length, rows.handedOut], [2, 2]);
  await cache.load('s');
  assert.equal(rows.handedOut, 2);
});

test('R4: two turns that load at once bring each message once', async () => {
  const rows = new Rows();
  rows.messages.push(message(1));
  const cache = new HistoryCache(rows);
  await cache.load('s');
  rows.messages.push(message(2), message(3));
  const [one, other] = await Promise.all([cache.load('s'), cache.load('s')]);
  for (const items of [one, other, await cache.load('s')])
    assert.deepEqual(
      items.map((item) => item.message.seq),
      [1, 2, 3],
    );
});

test('R15: what is kept of histories is bounded by its size: old messages of a session, then sessions that rest', async () => {
  const rows = new Rows();
  const text = 'x'.repeat(1024 * 1024);
  for (let seq = 1; seq <= 20; seq += 1) rows.messages.push({ ...message(seq), parts: [{ type: 'text', text }] });
  const cache = new HistoryCache(rows);
  const items = await cache.load('0');
  assert.ok(items.length < 20 && items.length >= 10, `${items.length} are kept`);
  assert.equal(items.at(-1)?.message.seq, 20);
  for (let session = 1; session < 6; session += 1) await cache.load(`${session}`);
  rows.handedOut = 0;
  await cache.load('5');
  assert.equal(rows.handedOut, 0, 'the one in use is kept');
  await cache.load('0');
  assert.equal(rows.handedOut, 20, 'the one that rested longest is read again');
});

test('R4: a call that is not over is read again when it is', async () => {
  const rows = new Rows();
  rows.messages.push(message(1), message(2));
  const call = (state: 'queued' | 'succeeded'): StoredCall => {
    const fixed = { id: 'c', sessionId: 's', messageId: 'm2', tool: 'bash', kind: 'local', effect: 'execute', input: {}, inputHash: 'h' } as const;
    return { call: { ...fixed, state, createdAt: '2026-11-22T12:00:00.000Z' } };
  };
  rows.calls = [call('queued')];
  const cache = new HistoryCache(rows);
  assert.deepEqual(
    (await cache.load('s')).map((item) => item.calls[0]?.state),
    [undefined, 'queued'],
  );
  rows.calls = [call('succeeded')];
  assert.deepEqual(
    (await cache.load('s')).map((item) => item.calls[0]?.state),
    [undefined, 'succeeded'],
  );
});
