import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Call, Message } from '@tendon/protocol';
import fc from 'fast-check';
import type { HistoryItem } from './model-port.ts';
import { historyWindow } from './window.ts';

const AT = '2026-01-01T00:00:00.000Z';

function item(role: Message['role'], chars: number, outputChars = 0): HistoryItem {
  const message: Message = { id: 'm', sessionId: 's', seq: 1, role, state: 'complete', parts: [{ type: 'text', text: 'x'.repeat(chars) }], createdAt: AT };
  const call: Call = {
    id: 'c',
    sessionId: 's',
    messageId: 'm',
    tool: 'bash',
    kind: 'local',
    effect: 'execute',
    input: {},
    inputHash: 'h',
    state: 'succeeded',
    result: { status: 'succeeded', content: [{ type: 'text', text: 'y'.repeat(outputChars) }] },
    createdAt: AT,
  };
  return { message, calls: outputChars > 0 ? [call] : [] };
}

function chars(items: readonly HistoryItem[]): number {
  return JSON.stringify(items.map(({ message, calls }) => [message.parts, calls.map((call) => call.result)])).length;
}

describe('history window', () => {
  it('M22: a history within the budget is kept whole', () => {
    const history = [item('user', 10), item('assistant', 10)];
    assert.deepEqual(historyWindow(history, 1_000), { items: history, omitted: 0 });
  });

  it('M22: a longer one keeps the newest, from a message of the person on', () => {
    const history = Array.from({ length: 40 }, (_, index) => item(index % 2 === 0 ? 'user' : 'assistant', 100));
    const { items, omitted } = historyWindow(history, 2_000);
    assert.equal(items.at(-1), history.at(-1));
    assert.equal(items[0]?.message.role, 'user');
    assert.equal(items.length + omitted, 40);
    assert.ok(items.length >= 8 && items.length < 16);
  });

  it('M22: the cut stays in its place for several turns, so that a cached prompt stays valid', () => {
    const history = Array.from({ length: 60 }, (_, index) => item(index % 2 === 0 ? 'user' : 'assistant', 100));
    const cuts = [50, 52, 54, 56, 58, 60].map((length) => historyWindow(history.slice(0, length), 4_000).omitted);
    assert.ok(new Set(cuts).size <= 3, `cuts ${cuts.join(' ')}`);
  });

  it('M22: a turn that alone is over the budget keeps its question and its newest steps', () => {
    const history = [item('user', 10), item('assistant', 10), item('user', 50), ...Array.from({ length: 9 }, () => item('assistant', 10, 500))];
    const { items, omitted } = historyWindow(history, 1_500);
    assert.equal(items[0], history[2]);
    assert.equal(items.at(-1), history.at(-1));
    assert.ok(items.length >= 3 && items.length < 6);
    assert.equal(omitted, history.length - items.length);
    assert.equal(historyWindow(history, 1).items.length, 2);
  });

  it('M22: any history: a suffix that begins with a person, or the last question with its newest steps', () => {
    const anyItem = fc.record({ role: fc.constantFrom('user' as const, 'assistant' as const), chars: fc.nat(300), output: fc.nat(400) });
    fc.assert(
      fc.property(fc.array(anyItem, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 4_000 }), (rows, budget) => {
        const history = rows.map((row) => item(row.role, row.chars, row.role === 'assistant' ? row.output : 0));
        const { items, omitted } = historyWindow(history, budget);
        assert.equal(items.length + omitted, history.length);
        assert.equal(items.at(-1), history.at(-1));
        const lastUser = history.findLast((one) => one.message.role === 'user');
        if (lastUser) assert.ok(items.includes(lastUser), 'the newest question stays');
        if (omitted > 0 && lastUser) assert.equal(items[0]?.message.role, 'user');
        const rest = items.slice(1);
        assert.deepEqual(rest, rest.length === 0 ? [] : history.slice(-rest.length), 'the rest is the newest, without a gap');
        if (items.length > 2) assert.ok(chars(items) <= budget + items.length * 300, 'about within the budget');
      }),
      { numRuns: 400, verbose: 1 },
    );
  });
});
