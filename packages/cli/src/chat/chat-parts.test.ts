import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionView } from '@tendon/client';
import type { Call, Message } from '@tendon/protocol';
import { answerTo, approvalOf, pendingOf } from './pending.ts';
import { TranscriptWriter } from './transcript-writer.ts';
import { visibleText } from './visible-text.ts';

const at = '2026-01-01T00:00:00.000Z';
const id = (number: number) => `0192a7c0-0000-7000-8000-${String(number).padStart(12, '0')}`;

function message(number: number, role: Message['role'], parts: Message['parts']): Message {
  return { id: id(number), sessionId: id(0), seq: number, role, state: 'complete', parts, createdAt: at };
}

function call(state: Call['state'], more: Partial<Call> = {}): Call {
  return {
    id: id(50),
    sessionId: id(0),
    messageId: id(2),
    tool: 'bash',
    kind: 'local',
    effect: 'execute',
    input: { command: 'ls' },
    inputHash: 'h',
    state,
    createdAt: at,
    ...more,
  };
}

function view(more: Partial<SessionView>): SessionView {
  return { phase: 'ready', messages: [], liveInputs: {}, calls: {}, outputs: {}, outbox: [], hasMore: false, loadingOlder: false, seq: 1, ...more };
}

test('O14: text that grows is printed once, whether live or complete', () => {
  const writer = new TranscriptWriter(() => false);
  const text = (content: string) => message(2, 'assistant', [{ type: 'text', text: content }]);
  const printed = [
    writer.update(view({ live: text('Hel') })),
    writer.update(view({ live: text('Hello') })),
    writer.update(view({ live: text('Hello') })),
    writer.update(view({ messages: [text('Hello!')] })),
    writer.update(view({ messages: [text('Hello!')] })),
  ];
  assert.deepEqual(printed, ['\nHel', 'lo', '', '!\n', '']);
});

test('O14: a call is announced once, its output streams, its end is told once', () => {
  const writer = new TranscriptWriter(() => false);
  const messages = [message(2, 'assistant', [{ type: 'tool_call', callId: id(50) }])];
  const steps = [
    writer.update(view({ messages, calls: { [id(50)]: call('awaiting_approval') } })),
    writer.update(view({ messages, calls: { [id(50)]: call('running') }, outputs: { [id(50)]: { text: 'a\n', droppedBytes: 0 } } })),
    writer.update(view({ messages, calls: { [id(50)]: call('running') }, outputs: { [id(50)]: { text: 'a\nb\n', droppedBytes: 0 } } })),
    writer.update(view({ messages, calls: { [id(50)]: call('succeeded') }, outputs: { [id(50)]: { text: 'a\nb\n', droppedBytes: 0 } } })),
    writer.update(view({ messages, calls: { [id(50)]: call('succeeded') } })),
  ];
  assert.equal(steps.join(''), '\n[bash] ls\n\na\nb\n\n[bash: done]\n');
});

test('O14: what a model or a tool says cannot act on the terminal', () => {
  assert.equal(visibleText('a\u001b]52;c;x\u0007\u202eb\r\nc\td\u0000'), 'a\\u{1b}]52;c;x\\u{7}\\u{202e}b\nc\td\\u{0}');
  assert.equal(visibleText('ünï 🎉'), 'ünï 🎉');
  const writer = new TranscriptWriter(() => false);
  const shown = writer.update(
    view({
      messages: [message(2, 'assistant', [{ type: 'tool_call', callId: id(50) }])],
      calls: { [id(50)]: call('awaiting_approval', { input: { command: 'ls\u001b[2K\rrm' } }) },
    }),
  );
  assert.doesNotMatch(shown, /[\u001b\r]/);
});

test('O14: only clear answers decide; the oldest waiting call comes first', () => {
  assert.deepEqual(['y', 'YES', 'a', 'n', 'no thanks', 'n because'].map(approvalOf), [
    { decision: 'approve' },
    { decision: 'approve' },
    { decision: 'approve', scope: 'always' },
    { decision: 'deny' },
    { decision: 'deny', reason: 'thanks' },
    { decision: 'deny', reason: 'because' },
  ]);
  for (const line of ['', ' ', 'yy', 'ok', 'nope', 'run ls', '1']) assert.equal(approvalOf(line), undefined, line);
  const younger = call('awaiting_approval', { id: id(51), createdAt: '2026-01-02T00:00:00.000Z' });
  const pending = pendingOf(view({ calls: { [id(51)]: younger, [id(50)]: call('awaiting_approval') } }));
  assert.ok(pending.kind === 'approval' && pending.call.id === id(50));
  assert.deepEqual(pendingOf(view({ calls: { [id(50)]: call('running') } })), { kind: 'nothing' });
});

test('O14: an option is chosen by its number, anything else is an answer in words', () => {
  const question = { question: 'Which?', options: [{ label: 'red' }, { label: 'blue' }] };
  assert.deepEqual(
    ['2', '3', 'green'].map((line) => answerTo(question, line).answer),
    ['blue', '3', 'green'],
  );
});
