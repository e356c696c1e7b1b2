import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '@tendon/protocol';
import type { HistoryRows } from '../store/session-store.ts';
import { HistoryCache } from './history-cache.ts';

function message(seq: number): Message {
  return { id: `m${seq}`, sessionId: 's', seq, role: 'user', state: 'complete', parts: [{ type: 'text', text: `${seq}` }], createdAt: '2026-11-22T12:00:00.000Z' };
}

/** Rows in memory, and a count of those handed out. */
class Rows {
  readonly messages: Message[] = [];
  handedOut = 0;

  async historyAfter(_sessionId: string, afterSeq: number, limit: number): Promise<HistoryRows> {
    const messages = this.messages.filter((row) => row.seq > afterSeq).slice(-limit);
    this.handedOut += messages.length;
    return { messages, calls: [] };
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
