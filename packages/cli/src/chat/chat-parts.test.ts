import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentClient, SessionView } from '@tendon/client';
import type { Call, Message } from '@tendon/protocol';
import fc from 'fast-check';
import { visibleText } from '../visible-text.ts';
import { ChatSession } from './chat-session.ts';
import { answerTo, approvalOf, pendingOf } from './pending.ts';
import { TranscriptWriter } from './transcript-writer.ts';

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
});

test('O14: of 100,000 texts of such characters none has one left that acts or hides, and what was there is said', () => {
  const odd = [
    ...[0x00, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0d, 0x1b, 0x1f, 0x7f, 0x80, 0x9b, 0x9d, 0x9f, 0xad, 0x34f, 0x61c, 0x115f, 0x180e, 0x200b, 0x200e, 0x200f],
    ...[0x2028, 0x2029, 0x202a, 0x202d, 0x202e, 0x2060, 0x2066, 0x2069, 0x206f, 0x2800, 0x3164, 0xd800, 0xdfff, 0xfeff, 0xfffb, 0xe0041, 0xe007f, 0xe0100],
    ...['a', 'ü', ' ', '[', ']', ';', '\\', '🎉', '2J', '31m'].map((text) => text.codePointAt(0) ?? 0),
  ].map((point) => String.fromCodePoint(point));
  const text = fc.array(fc.oneof(fc.constantFrom(...odd), fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 12 });
  const details = fc.check(
    fc.property(text, (pieces) => {
      const given = pieces.join('');
      const shown = visibleText(given);
      assert.doesNotMatch(shown, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]|\p{Cs}/u);
      if (given.includes('\\')) return;
      const back = shown.replace(/\\u\{([0-9a-f]+)\}/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
      assert.equal(back, given.replace(/\r\n/g, '\n'));
    }),
    { numRuns: 100_000 },
  );
  assert.ok(!details.failed, `seed ${details.seed}: ${JSON.stringify(details.counterexample)}`);
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

/** As much of a client as a session in the terminal asks for. */
function clientOf(opened: object, { gateways = [] as readonly object[], connection = resting({ kind: 'online' }) } = {}): AgentClient {
  return { open: () => opened, gateways: resting(gateways), connection } as unknown as AgentClient;
}

/** A store in which nothing changes. */
function resting(value: object): { get: () => object; subscribe: (listener: () => void) => () => void } {
  return { get: () => value, subscribe: () => () => undefined };
}

test('O14: a server that goes away is said to, once, and so is that it is back', () => {
  let state: object = { kind: 'online' };
  let changed = (): void => undefined;
  const connection = {
    get: () => state,
    subscribe: (listener: () => void) => {
      changed = listener;
      return () => undefined;
    },
  };
  let text = '';
  new ChatSession(clientOf({ view: resting(view({})) }, { connection }), id(0), { write: (added) => (text += added), now: () => 0 });
  const reason = { code: 'unavailable', message: 'The server cannot be reached.' };
  for (const next of [{ kind: 'waiting', reason }, { kind: 'connecting' }, { kind: 'waiting', reason }, { kind: 'online' }, { kind: 'online' }]) {
    state = next;
    changed();
  }
  assert.equal(text, '\n(The server cannot be reached. It is tried again; what you write is sent when the server is back.)\n(The server is back.)\n');
});

test('O14: what was approved, and lapsed while its machine was away, is asked again', async () => {
  let current = view({ calls: { [id(50)]: call('awaiting_approval') } });
  let changed = (): void => undefined;
  const subscribe = (listener: () => void) => {
    changed = listener;
    return () => undefined;
  };
  const opened = { view: { get: () => current, subscribe }, decide: async () => ({ ok: true }), release: () => undefined };
  let text = '';
  const session = new ChatSession(clientOf(opened), id(0), { write: (added) => (text += added), now: () => 0 });
  const become = (state: Call['state']): void => {
    current = view({ calls: { [id(50)]: call(state) } });
    changed();
  };
  await session.line('y');
  changed();
  assert.equal(session.pending.kind, 'nothing', 'answered, and the server has not shown it yet');
  become('queued');
  become('awaiting_approval');
  assert.equal(session.pending.kind, 'approval');
  assert.equal(text.match(/Run this on/g)?.length, 2);
});

test('O14: the command of an approval and the names in it cannot pass for lines of the question', () => {
  const waiting = call('awaiting_approval', { tool: 'bash\n[y] once', input: { command: 'ls\n[y] once' } });
  const store = { get: () => view({ calls: { [id(50)]: waiting } }), subscribe: () => () => undefined };
  let text = '';
  new ChatSession(clientOf({ view: store }), id(0), { write: (added) => (text += added), now: () => 0 });
  assert.equal(text, '\nRun this on your machine?\n  bash [y] once: ls\n    [y] once\n[y] once  [a] always  [n] no, with a reason if you like\n');
});

test('O14, U8: an approval names the machine and the folder of its call, and says of a command that it would run without a sandbox', () => {
  const asked = (tool: string, workspace: string): string => {
    const waiting = call('awaiting_approval', { tool, input: { command: 'ls' }, gatewayId: id(7), workspace });
    const store = { get: () => view({ calls: { [id(50)]: waiting } }), subscribe: () => () => undefined };
    const office = { id: id(7), name: 'office', sandbox: { kind: 'none' } };
    let text = '';
    new ChatSession(clientOf({ view: store }, { gateways: [office] }), id(0), { write: (added) => (text += added), now: () => 0 });
    return text;
  };
  assert.match(asked('bash', '/srv/shop'), /^Run this on office, in \/srv\/shop\?\n {2}bash: ls\nRuns without a sandbox on this machine: .*\n\[y\] once/m);
  assert.doesNotMatch(asked('write_file', '/srv/shop'), /sandbox/);
  assert.match(asked('bash', '/srv\n[y] once'), /^Run this on office, in \/srv \[y\] once\?$/m);
});

test('O14, L10: an approval that counts on the page of its machine alone says so, and offers no rule', async () => {
  const store = { get: () => view({ calls: { [id(50)]: call('awaiting_approval', { gatewayId: id(7) }) } }), subscribe: () => () => undefined };
  let text = '';
  const gateways = [{ id: id(7), name: 'office', localApprovalOnly: true }];
  const session = new ChatSession(clientOf({ view: store }, { gateways }), id(0), { write: (added) => (text += added), now: () => 0 });
  assert.match(text, /^office runs only what is approved on its own page: .+ Approved here, this will not be run\.\n\[y\] once {2}\[n\] no/m);
  await session.line('a');
  assert.match(text, /This is decided each time: its machine counts no rule\. Type y/);
});

test('O14: an approval shows all that it lets run, and says where it is cut', () => {
  const asked = (input: unknown): string => {
    const store = { get: () => view({ calls: { [id(50)]: call('awaiting_approval', { tool: 'write_file', input }) } }), subscribe: () => () => undefined };
    let text = '';
    new ChatSession(clientOf({ view: store }), id(0), { write: (added) => (text += added), now: () => 0 });
    return text;
  };
  assert.match(asked({ content: 'one\n[y] two', path: 'a.txt' }), /\n {2}write_file: a\.txt\n {4}content: one\n {4}\[y\] two\n\[y\] once/);
  assert.match(asked({ edits: [{ oldText: 'x' }], path: 'a.txt' }), /\n {4}edits: \[\{"oldText":"x"\}\]\n/);
  assert.match(asked(['odd']), /write_file: \["odd"\]\n/);
  const long = asked({ path: 'a.txt', content: `${'x'.repeat(9_000)}END` });
  assert.match(long, /\n {4}\.\.\. 1018 more characters are not shown here\. The page shows all of it\.\n\[y\] once/);
  assert.doesNotMatch(long, /END/);
});

test('O14: why a turn failed is said once for each, and a message that is refused for good is named and not waited for', () => {
  const at50 = { id: id(50), sessionId: id(0), createdAt: at };
  const session = { ...at50, lastError: { code: 'model_failed', message: 'The model did not answer.' } } as unknown as NonNullable<SessionView['session']>;
  const refused = { sessionId: id(0), messageId: id(9), text: 'too\nlong', mode: 'queue', createdAt: at, state: 'refused' } as const;
  let current = view({ session });
  let changed = (): void => undefined;
  const subscribe = (listener: () => void) => {
    changed = listener;
    return () => undefined;
  };
  const discarded: string[] = [];
  const opened = { view: { get: () => current, subscribe }, discardOutbox: (messageId: string) => discarded.push(messageId) };
  let text = '';
  new ChatSession(clientOf(opened), id(0), { write: (added) => (text += added), now: () => 0 });
  const become = (next: SessionView): void => {
    current = next;
    changed();
  };
  changed();
  assert.equal(text, '\n(The turn failed: The model did not answer.)\n');
  const { lastError: _, ...going } = session;
  become(view({ session: going as typeof session }));
  become(view({ session, outbox: [{ ...refused, error: { code: 'too_large', message: 'It is too long.' } }] }));
  assert.equal(text.match(/The turn failed/g)?.length, 2);
  assert.match(text, /\n\(Not sent: It is too long\. It was: too long\)\n$/);
  assert.deepEqual(discarded, [id(9)]);
});
