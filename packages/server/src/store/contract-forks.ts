import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Part } from '@tendon/protocol';
import { v7 } from 'uuid';
import type { SessionState, StoredCall } from '../kernel/index.ts';
import { completed, done, execute, type Rig, requested, turn } from './contract-rig.ts';
import type { ForkOutcome, HistoryRows } from './session-store.ts';

export function forkContract(rig: () => Rig): void {
  copies(rig);
  refusals(rig);
}

interface Forked {
  readonly state: SessionState;
  readonly rows: HistoryRows;
}

async function forked({ store, ownerId }: Rig, sessionId: string, messageId: string): Promise<Forked> {
  const outcome = await fork({ store, ownerId }, sessionId, messageId);
  assert.ok(outcome.ok, JSON.stringify(outcome));
  assert.deepEqual(await store.load(outcome.state.id), outcome.state, 'what is answered is what is stored');
  return { state: outcome.state, rows: await store.historyAfter(outcome.state.id, 0, 1_000) };
}

function fork({ store, ownerId }: Pick<Rig, 'store' | 'ownerId'>, sessionId: string, messageId: string): Promise<ForkOutcome> {
  return store.fork({ sessionId, ownerId, messageId, id: v7(), title: (of) => `${of}, again`, at: new Date().toISOString() });
}

/** All but what is the copy's own. */
function withoutIds({ messages, calls }: HistoryRows): unknown {
  const names = new Map([...messages.map((message) => message.id), ...calls.map(({ call }) => call.id)].map((id, index) => [id, `id ${index}`]));
  const named = (id: string): string => names.get(id) ?? id;
  return {
    messages: messages.map((message) => ({
      ...message,
      id: named(message.id),
      sessionId: '',
      parts: message.parts.map((part) => (part.type === 'tool_call' ? { ...part, callId: named(part.callId) } : part)),
    })),
    calls: calls.map(({ call, metadata }) => ({ ...call, metadata, id: named(call.id), sessionId: '', messageId: named(call.messageId) })),
  };
}

const ODD = '"callId":"\u0000 \ud800 {"type":"tool_call"}';

/** Three turns, the second with calls of which one failed and one is unknown. */
async function told({ store, newSession }: Rig): Promise<SessionState> {
  const { id } = await newSession();
  await turn(store, id);
  const [one, two] = [requested({ input: { command: ODD } }), requested({ kind: 'local', gatewayId: v7(), workspace: '/w' })];
  const begun = await done({ store, id }, execute(ODD));
  const parts: Part[] = [
    { type: 'text', text: ODD },
    { type: 'tool_call', callId: one.id },
    { type: 'reasoning', text: '' },
    { type: 'tool_call', callId: two.id },
  ];
  await done({ store, id }, { ...completed(begun.change.state, [one, two]), parts }, { fence: begun.lease });
  const instanceId = v7();
  const decide = { type: 'decide', inputHash: 'hash', by: 'someone', subject: 'ls' } as const;
  await done({ store, id }, { ...decide, callId: one.id, decision: 'deny', scope: 'once', reason: ODD });
  await done({ store, id }, { ...decide, callId: two.id, decision: 'approve', scope: 'session', instanceId });
  await done({ store, id }, { type: 'call_lost', callId: two.id, instanceId, reason: 'gone' });
  const state = await store.load(id);
  assert.ok(state?.turn);
  await done({ store, id }, completed(state));
  await turn(store, id);
  const after = await store.load(id);
  assert.ok(after);
  return after;
}

function copies(rig: () => Rig): void {
  test('D26: a fork takes over everything up to a message of the agent, under new ids, and changes nothing of the other', async () => {
    const { store, ownerId } = rig();
    const source = await told(rig());
    const before = await store.historyAfter(source.id, 0, 1_000);
    for (const [index, message] of before.messages.entries()) {
      if (message.role === 'user') continue;
      const { state, rows } = await forked(rig(), source.id, message.id);
      const expected = before.messages.slice(0, index + 1);
      const ids = new Set(expected.map((one) => one.id));
      const wanted = { ...before, messages: expected, calls: before.calls.filter(({ call }) => ids.has(call.messageId)) };
      assert.deepEqual(withoutIds(rows), withoutIds(wanted));
      const taken = new Set([...before.messages.map((one) => one.id), ...before.calls.map(({ call }) => call.id)]);
      for (const id of [...rows.messages.map((one) => one.id), ...rows.calls.map(({ call }) => call.id)]) {
        assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        assert.equal(taken.has(id), false);
      }
      assert.equal(state.seq, message.seq + 1);
      const events = await store.eventsAfter(state.id, message.seq, 10);
      assert.deepEqual(
        events?.map(({ seq, type }) => [seq, type]),
        [[state.seq, 'session.updated']],
      );
      assert.equal(await store.eventsAfter(state.id, 0, 100), undefined, 'who asks for more gets a page');
    }
    assert.deepEqual(await store.historyAfter(source.id, 0, 1_000), before);
    assert.deepEqual(await store.load(source.id), source);
    assert.equal((await store.list(ownerId, { limit: 100 })).sessions.find((session) => session.id === source.id)?.seq, source.seq);
  });

  test('D26: a fork at a message of a person ends before it, down to nothing', async () => {
    const { store } = rig();
    const source = await told(rig());
    const { messages } = await store.historyAfter(source.id, 0, 1_000);
    const asked = messages.filter((message) => message.role === 'user');
    for (const message of asked) {
      const { rows } = await forked(rig(), source.id, message.id);
      assert.equal(rows.messages.length, messages.indexOf(message));
    }
    assert.equal(asked[0]?.id, messages[0]?.id, 'the first one leaves an empty session');
  });

  test('D26: a fork is at rest with the same model and place, counts from zero, and none of the rules of the other is for it', async () => {
    const { store, newSession, ownerId } = rig();
    const { id } = await newSession();
    const gatewayId = v7();
    await done({ store, id }, { type: 'update', model: 'other/model', gatewayId, workspace: '/w', archived: true });
    const ended = await turn(store, id);
    const answer = ended.change.messages.find(({ message }) => message.role === 'assistant')?.message;
    assert.ok(answer);
    const { state } = await forked(rig(), id, answer.id);
    assert.deepEqual(
      [state.model, state.gatewayId, state.workspace, state.archived, state.title, state.usage.outputTokens],
      ['other/model', gatewayId, '/w', false, `${ended.change.state.title}, again`, 0],
    );
    assert.deepEqual(
      (await store.rules(ownerId)).filter((rule) => rule.sessionId === state.id),
      [],
    );
  });

  test('D26: a fork goes on by itself, and can be forked again', async () => {
    const { store } = rig();
    const source = await told(rig());
    const { messages } = await store.historyAfter(source.id, 0, 1_000);
    const first = await forked(rig(), source.id, messages.at(-1)?.id ?? '');
    await turn(store, first.state.id);
    const rows = await store.historyAfter(first.state.id, 0, 1_000);
    assert.equal(rows.messages.length, messages.length + 2);
    const second = await forked(rig(), first.state.id, rows.messages.at(-1)?.id ?? '');
    assert.deepEqual(withoutIds(second.rows), withoutIds(rows));
    const unknown = second.rows.calls.find(({ call }: StoredCall) => call.state === 'unknown');
    assert.ok(unknown);
    const again = await done({ store, id: second.state.id }, { type: 'resolve', callId: unknown.call.id, outcome: 'again', by: 'someone', via: 'test' });
    assert.equal(again.change.state.calls[0]?.call.state, 'awaiting_approval', 'running again asks again');
  });

  test('D26: a fork of a long session reads nothing into the process', async () => {
    const { store, database, newSession } = rig();
    const { id } = await newSession();
    for (let count = 0; count < 30; count += 1) await turn(store, id);
    const last = (await store.historyAfter(id, 0, 1)).messages.at(-1);
    const before = database.queries.total;
    assert.ok((await fork(rig(), id, last?.id ?? '')).ok);
    assert.equal(database.queries.total - before, 2);
  });
}

function refusals(rig: () => Rig): void {
  const refused = (outcome: ForkOutcome): string | undefined => (outcome.ok ? undefined : outcome.reason);

  test('D26: what has no place yet, is not over or is not there cannot be forked from, and nothing is made', async () => {
    const { store, ownerId, newPerson, newSession } = rig();
    const { id } = await newSession();
    const other = await newSession();
    const first = execute('first');
    const waiting = execute('waits');
    const begun = await done({ store, id }, first);
    await done({ store, id }, waiting);
    const count = async () => (await store.list(ownerId, { limit: 100 })).sessions.length;
    const before = await count();
    assert.equal(refused(await fork(rig(), id, waiting.messageId)), 'queued');
    assert.equal(refused(await fork(rig(), id, begun.change.state.turn?.messageId ?? '')), 'not_found', 'it is being written');
    assert.equal(refused(await fork(rig(), id, v7())), 'not_found');
    assert.equal(refused(await fork(rig(), other.id, first.messageId)), 'not_found', 'it is of another session');
    assert.equal(refused(await fork({ store, ownerId: await newPerson() }, id, first.messageId)), 'not_found', 'it is another person');
    const call = requested();
    const asking: Part[] = [{ type: 'tool_call', callId: call.id }];
    const asked = await done({ store, id }, { ...completed(begun.change.state, [call]), parts: asking }, { fence: begun.lease });
    const message = asked.change.messages.find((stored) => stored.message.role === 'assistant')?.message;
    assert.equal(refused(await fork(rig(), id, message?.id ?? '')), 'unfinished');
    assert.equal(await count(), before);
    assert.ok((await fork(rig(), id, first.messageId)).ok, 'what came before is there, whatever goes on');
  });
}
