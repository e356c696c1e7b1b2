import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { AgentData, Call, Delta, Message, Session, SessionEvent } from '@tendon/protocol';
import { startAgentDouble, within } from '@tendon/testing';
import { cliRig } from './cli-rig.ts';

/** Escape sequences, also of one character (C1), backspace and delete, line ends, what turns text around, what is not seen, tags, half a character. */
const EVIL = '\u001b]52;c;eA==\u0007\u001b[2J\u009b31m\u0008\u007f\r\u202e\u2066\u200b\u2028\ufeff\u{e0041}\u{e007f}\ud83c';
const evil = (name: string): string => `<${name}>${EVIL}`;
const RAW = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufffd]/u;

const at = '2026-01-01T00:00:00.000Z';
const id = (number: number): string => `0192a7c0-0000-7000-8000-${String(number).padStart(12, '0')}`;
const refused = (name: string) => ({ ok: false, error: { code: 'conflict', message: evil(name) } });
const ok = (data: object) => ({ ok: true, data });

const call = (number: number, more: Partial<Call>): Call => ({
  ...{ id: id(number), sessionId: id(1), messageId: id(11), tool: evil(`tool ${number}`), kind: 'local', effect: 'execute', input: {}, inputHash: 'h' },
  ...{ state: 'succeeded', createdAt: `2026-01-01T00:00:${number}.000Z`, ...more },
});
const message = (number: number, role: Message['role'], parts: Message['parts']): Message => ({
  ...{ id: id(number), sessionId: id(1), seq: number, role, state: 'complete', parts, createdAt: at },
});

const CALLS = [
  call(20, { input: { command: evil('command') }, result: { status: 'succeeded', content: [{ type: 'text', text: evil('result') }] } }),
  call(21, { input: { path: evil('path') }, state: 'running' }),
  call(22, { input: { pattern: evil('pattern') }, state: 'unknown' }),
  call(23, { input: { [evil('field')]: evil('value') } }),
  call(30, {
    ...{ tool: 'ask_user_questions', kind: 'pause', state: 'awaiting_answer' },
    input: { questions: [{ question: evil('question'), options: [{ label: evil('option') }, { label: 'other' }] }] },
  }),
  call(31, { input: { command: evil('command to approve') }, state: 'awaiting_approval' }),
];
const session: Session = {
  ...{
    id: id(1),
    title: evil('title'),
    status: 'waiting_for_user',
    model: evil('model'),
    workspace: evil('folder'),
    archived: false,
    seq: 40,
    createdAt: at,
    updatedAt: at,
  },
  ...{ waiting: { approvals: 1, answers: 1 }, usage: { inputTokens: 0, outputTokens: 0 } },
};
const ATTACHED: AgentData<'session:attach'> = {
  session,
  messages: [
    message(10, 'user', [{ type: 'text', text: evil('other device') }]),
    message(11, 'assistant', [{ type: 'text', text: evil('answer') }, ...CALLS.map(({ id: callId }) => ({ type: 'tool_call' as const, callId }))]),
  ],
  ...{ calls: CALLS, seq: 40, hasMore: false },
  outputs: [{ callId: id(21), offset: 0, text: evil('output') }],
};

const rig = await cliRig();
after(() => rig[Symbol.asyncDispose]());
let seq = 40;
const asked = new Map<string, number>();
const double = await startAgentDouble({
  refuse: ({ token }) => (token?.startsWith('refused') ? { code: 'forbidden_origin', message: evil('handshake') } : undefined),
  answer: (name, payload, { token }) => {
    if (name === 'session:create' && token?.startsWith('uncreated')) return refused('create');
    if (name === 'session:attach' && token?.startsWith('unattached')) return { ok: false, error: { code: 'forbidden', message: evil('attach') } };
    return answerTo(name, payload);
  },
  http: (method, path) => {
    if (path !== '/api/keys' || method !== 'GET') return { status: 400, body: refused(path) };
    const key = { id: evil('id'), name: evil('key name'), kind: evil('kind'), prefix: evil('prefix'), createdAt: at };
    return { status: 200, body: { keys: [key, { ...key, scopes: [evil('scope')] }] } };
  },
});
after(() => double[Symbol.asyncDispose]());

/** The first answer and the first decision are refused, the next ones taken; a message is answered by a stream. */
function answerTo(name: string, payload: Record<string, unknown>): unknown {
  const times = (asked.get(name) ?? 0) + 1;
  asked.set(name, times);
  const workspaces = [{ path: evil('folder'), name: 'w' }];
  if (name === 'gateway:list')
    return ok({ gateways: [{ id: id(2), name: evil('machine'), platform: 'linux', online: true, workspaces, tools: [], lastSeenAt: at }] });
  if (name === 'session:create') return ok({ session });
  if (name === 'session:list') return ok({ sessions: [session] });
  if (name === 'session:attach') return ok(ATTACHED);
  if (name === 'tool:result' || name === 'tool:decide') return settle(name, times);
  if (name !== 'agent:execute') return ok({});
  setImmediate(() => stream(String(payload['messageId']), String(payload['text'])));
  return ok({ messageId: payload['messageId'], seq: seq + 1, queued: false });
}

function settle(name: 'tool:result' | 'tool:decide', times: number): unknown {
  const waiting = CALLS[name === 'tool:result' ? 4 : 5];
  assert.ok(waiting);
  const state = name === 'tool:result' ? 'succeeded' : 'denied';
  setImmediate(() => {
    if (times > 1) tell('call.updated', { call: { ...waiting, state } });
    tell('session.updated', { session: { ...session, status: state === 'denied' && times > 1 ? 'idle' : 'waiting_for_user' } });
  });
  return times === 1 ? refused(name) : ok({ callId: waiting.id, state });
}

function tell<Type extends SessionEvent['type']>(type: Type, data: Extract<SessionEvent, { type: Type }>['data']): void {
  seq += 1;
  double.emit('session:event', { sessionId: id(1), seq, at, type, data });
}

function stream(messageId: string, text: string): void {
  tell('message.created', { message: { ...message(0, 'user', [{ type: 'text', text }]), id: messageId, seq: seq + 1 } });
  const delta = (more: Pick<Delta, 'messageId' | 'kind' | 'offset' | 'text'>) => double.emit('session:delta', { sessionId: id(1), part: 0, ...more });
  delta({ messageId: id(60), kind: 'text', offset: 0, text: evil('delta') });
  delta({ messageId: id(21), kind: 'tool_output', offset: evil('output').length, text: evil('more output') });
  double.emit('server:notice', { code: evil('notice code'), message: evil('notice') });
  tell('message.completed', { message: { ...message(60, 'assistant', [{ type: 'text', text: evil('delta') }]), seq: seq + 1 } });
  tell('session.updated', { session: { ...session, status: 'idle' } });
}

const lines = (...all: string[]): string => all.map((line) => `${line}\n`).join('');

for (const { title, args, key, input, code, says } of [
  {
    ...{ title: 'a chat from its first line to its last', args: ['chat'], key: 'a key', input: lines('1', '1', 'y', 'n', 'hello'), code: 0 },
    says: [
      ...['model', 'folder', 'other device', 'answer', 'tool 20', 'command', 'result', 'path', 'output', 'pattern'],
      ...['question', 'option', 'tool:result', 'tool 31', 'command to approve', 'tool:decide', 'delta', 'more output'],
    ],
  },
  { title: 'a refused connection', args: ['chat'], key: 'refused', input: '', code: 2, says: ['handshake'] },
  { title: 'a session that is not made', args: ['chat'], key: 'uncreated', input: '', code: 2, says: ['create'] },
  { title: 'a session that is not shown', args: ['chat', id(1)], key: 'unattached', input: '', code: 2, says: ['attach'] },
  { title: 'a pairing', args: ['chat'], key: undefined, input: '', code: 2, says: ['/api/pair'] },
  { title: 'a list of keys', args: ['key', 'list'], key: 'a key', input: '', code: 0, says: ['id', 'prefix', 'kind', 'scope', 'key name'] },
  { title: 'a key that is not revoked', args: ['key', 'revoke', id(1)], key: 'a key', input: '', code: 2, says: [`/api/keys/${id(1)}`] },
])
  test(`O14: nothing that a server says acts on the terminal or hides in it: ${title}`, async () => {
    const env: Record<string, string> = key === undefined ? {} : { TENDON_API_KEY: `${key} ${'k'.repeat(40)}` };
    const outcome = await within('the command to end', rig.run([...args, '--server', double.url], env, input).done, 30_000);
    const said = outcome.stdout + outcome.stderr;
    assert.doesNotMatch(said, RAW);
    for (const name of says) assert.ok(said.includes(`<${name}>\\u{1b}]52;c;eA==\\u{7}\\u{1b}[2J\\u{9b}31m\\u{8}\\u{7f}`), `${name} is not in ${said}`);
    assert.equal(outcome.code, code, said);
  });

test('O14: nothing but output.ts writes to the terminal', async () => {
  const names = (await readdir(import.meta.dirname, { recursive: true })).filter((name) => /\.[jt]s$/.test(name) && !/(\.test|-rig)\.ts$/.test(name));
  const writers: string[] = [];
  for (const name of names) {
    const text = await readFile(join(import.meta.dirname, name), 'utf8');
    if (/\bconsole\b|std(?:out|err)\??\.write|writeSync\(\s*[12]\b|styleText/.test(text)) writers.push(name);
  }
  assert.deepEqual(writers, ['output.ts']);
});
