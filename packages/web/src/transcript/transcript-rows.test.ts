import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '@tendon/protocol';
import { messageText, queuedMessages, transcriptRows } from './transcript-rows.ts';

function message(id: string, state: Message['state']): Message {
  return { id, sessionId: 's', seq: 1, role: 'user', state, parts: [{ type: 'text', text: id }], createdAt: '2026-11-22T10:00:00Z' };
}

function outbox(messageId: string) {
  return { sessionId: 's', messageId, text: 'x', mode: 'queue', createdAt: '2026-11-22T10:00:00Z', state: 'sending' } as const;
}

test('U5: a message stands in the transcript once, whether on its way, acknowledged or both', () => {
  const rows = transcriptRows({ messages: [message('a', 'complete'), message('q', 'queued')], liveId: 'l', outbox: [outbox('a'), outbox('q'), outbox('new')] });
  assert.deepEqual(
    rows.map((row) => `${row.kind} ${row.key}`),
    ['message a', 'live l', 'outbox new', 'status status'],
  );
});

test('U5: a live message that is also in the history is shown live, once', () => {
  const rows = transcriptRows({ messages: [message('l', 'complete')], liveId: 'l', outbox: [] });
  assert.deepEqual(
    rows.map((row) => row.key),
    ['l', 'status'],
  );
});

test('U37: the last message of a turn knows the calls of all of it', () => {
  const agent = (id: string, ...callIds: string[]): Message => ({
    ...message(id, 'complete'),
    role: 'assistant',
    parts: callIds.map((callId) => ({ type: 'tool_call', callId })),
  });
  const messages = [message('a', 'complete'), agent('b', '1', '2'), agent('c', '3'), agent('d'), message('e', 'complete'), agent('f'), message('q', 'queued')];
  const ends = transcriptRows({ messages, liveId: undefined, outbox: [] }).flatMap((row) =>
    row.kind === 'message' && row.turnCallIds ? [[row.key, row.turnCallIds]] : [],
  );
  assert.deepEqual(ends, [['d', ['1', '2', '3']]]);
});

test('U7: queued messages are apart, in order', () => {
  const list = [message('a', 'complete'), message('q1', 'queued'), message('q2', 'queued')];
  assert.deepEqual(queuedMessages(list).map(messageText), ['q1', 'q2']);
});
