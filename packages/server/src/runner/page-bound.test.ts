import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, Message } from '@tendon/protocol';
import { textResult } from '@tendon/protocol';
import { boundedEvents, boundedPage } from './page-bound.ts';

const AT = '2026-11-22T12:00:00.000Z';

function message(seq: number, text = 'x'): Message {
  return { id: `m${seq}`, sessionId: 's', seq, role: 'assistant', state: 'complete', parts: [{ type: 'text', text }], createdAt: AT };
}

function call(messageId: string, size: number): Call {
  const result = textResult('succeeded', 'y'.repeat(size));
  return {
    id: `c-${messageId}`,
    sessionId: 's',
    messageId,
    tool: 'bash',
    kind: 'local',
    effect: 'execute',
    input: {},
    inputHash: 'h',
    state: 'succeeded',
    result,
    createdAt: AT,
  };
}

test('R8: a page keeps its newest messages with their calls and says that there is more', () => {
  const messages = [message(1), message(2), message(3)];
  const calls = [call('m1', 600), call('m2', 600), call('m3', 600)];
  const page = boundedPage({ messages, calls, hasMore: false }, 2_500);
  assert.deepEqual(
    page.messages.map(({ id }) => id),
    ['m2', 'm3'],
  );
  assert.deepEqual(
    page.calls.map(({ messageId }) => messageId),
    ['m2', 'm3'],
  );
  assert.equal(page.hasMore, true);
});

test('R8: the newest message is always there, however large; a page that fits is left alone', () => {
  const large = boundedPage({ messages: [message(1), message(2, 'x'.repeat(5_000))], calls: [], hasMore: false }, 1_000);
  assert.deepEqual(
    large.messages.map(({ id }) => id),
    ['m2'],
  );
  const small = { messages: [message(1)], calls: [], hasMore: false };
  assert.equal(boundedPage(small), small);
  const empty = { messages: [], calls: [], hasMore: false };
  assert.equal(boundedPage(empty), empty);
});

test('R8: events that do not fit are answered by a page instead', () => {
  assert.deepEqual(boundedEvents([1, 2], 100), [1, 2]);
  assert.equal(boundedEvents(['x'.repeat(200)], 100), undefined);
  assert.equal(boundedEvents(undefined), undefined);
});
