import assert from 'node:assert/strict';
import { test } from 'node:test';
import { v7 } from 'uuid';
import { publicSession } from '../kernel/index.ts';
import { commit, completed, done, execute, type Rig, requested, turn } from './contract-rig.ts';
import { MOST_MACHINES } from './session-store.ts';

export function readingContract(rig: () => Rig): void {
  history(rig);
  events(rig);
  lists(rig);
  ownership(rig);
  machines(rig);
  lookingAgain(rig);
}

function history(rig: () => Rig): void {
  test('D18: pages tile the history, the newest brings queue and open calls', async () => {
    const { store, newSession } = rig();
    const { id } = await newSession();
    for (let count = 0; count < 5; count += 1) await turn(store, id);
    const call = requested();
    await turn(store, id, [call]);
    await done({ store, id }, execute('waits'));
    const newest = await store.page(id, { limit: 5 });
    assert.deepEqual(
      newest.messages.map((message) => message.state),
      ['complete', 'complete', 'complete', 'complete', 'complete', 'queued'],
    );
    assert.deepEqual(
      newest.calls.map((found) => found.id),
      [call.id],
    );
    assert.equal(newest.hasMore, true);
    const older = await store.page(id, { before: newest.messages[0]?.seq, limit: 100 });
    assert.equal(older.messages.length, 7);
    assert.equal(older.hasMore, false);
    assert.deepEqual(older.calls, []);
    const seqs = [...older.messages, ...newest.messages].map((message) => message.seq);
    assert.deepEqual(
      seqs,
      seqs.toSorted((one, other) => one - other),
    );
    const exact = await store.page(id, { limit: 12 });
    assert.equal(exact.hasMore, false);
  });

  test('D24: what is read at once is bounded in bytes, and the rest is a page further up', async () => {
    const { store, newSession } = rig();
    const { id } = await newSession();
    let step = await done({ store, id }, execute('Large ones.'));
    for (let count = 0; count < 6; count += 1) {
      const large = requested({ verdict: { kind: 'deny', reason: 'no' }, input: { command: 'x'.repeat(900_000) } });
      step = await done({ store, id }, completed(step.change.state, [large]), { fence: step.lease });
    }
    await done({ store, id }, completed(step.change.state), { fence: step.lease });
    const newest = await store.page(id, { limit: 50 });
    assert.equal(newest.hasMore, true);
    assert.ok(newest.messages.length >= 4 && newest.messages.length < 8, `${newest.messages.length} messages`);
    const older = await store.page(id, { before: newest.messages[0]?.seq, limit: 50 });
    assert.equal(older.hasMore, false);
    assert.equal(older.messages.length + newest.messages.length, 8);
    assert.equal(await store.eventsAfter(id, 1, 10_000), undefined);
    const last = newest.messages.at(-1)?.seq ?? 0;
    assert.ok(((await store.eventsAfter(id, last - 1, 10_000))?.length ?? 0) > 0);
    assert.equal((await store.historyAfter(id, 0, 1_000)).messages.length, 8);
  });

  test('D18: the model reads only what is newer than it has, with the calls and what their provider wants back', async () => {
    const { store, newSession } = rig();
    const { id } = await newSession();
    await turn(store, id);
    const known = (await store.historyAfter(id, 0, 100)).messages;
    assert.equal(known.length, 2);
    const calls = [requested({ metadata: { signature: 'abc' } }), requested(), requested()];
    await turn(store, id, calls);
    await done({ store, id }, execute('waits'));
    const newer = await store.historyAfter(id, known.at(-1)?.seq ?? 0, 100);
    assert.deepEqual(
      newer.messages.map((message) => message.role),
      ['user', 'assistant'],
    );
    assert.deepEqual(
      newer.calls.map((stored) => stored.call.id),
      calls.map((call) => call.id),
    );
    assert.deepEqual(newer.calls[0]?.metadata, { signature: 'abc' });
    assert.deepEqual(
      (await store.historyAfter(id, 0, 1)).messages.map((message) => message.role),
      ['assistant'],
    );
  });
}

function events(rig: () => Rig): void {
  test('C18: the calls of a turn are all between two messages of the person, without their results', async () => {
    const { store, newSession } = rig();
    const { id } = await newSession();
    const calls = [requested({ verdict: { kind: 'deny', reason: 'no' } }), requested({ verdict: { kind: 'deny', reason: 'no' } })];
    for (const call of calls) {
      const begun = await turn(store, id, [call]);
      await done({ store, id }, completed(begun.change.state), { fence: begun.lease });
    }
    const ids = (await store.page(id, { limit: 100 })).messages.map((message) => message.id);
    const found = await Promise.all(ids.map(async (messageId) => (await store.turnCalls(id, messageId))?.map((call) => call.id)));
    const [first, second] = calls.map((call) => [call.id]);
    assert.deepEqual(found, [first, first, first, second, second, second]);
    const [call] = (await store.turnCalls(id, ids[0] ?? '')) ?? [];
    assert.deepEqual([call?.state, call?.result, call?.input], ['denied', undefined, { command: 'ls' }]);
    assert.equal(await store.turnCalls(id, v7()), undefined);
    assert.equal(await store.turnCalls((await newSession()).id, ids[0] ?? ''), undefined);
  });

  test('D18: events are given whole or not at all', async () => {
    const { store, newSession, database } = rig();
    const { id } = await newSession();
    const { change } = await turn(store, id);
    const { seq } = change.state;
    assert.deepEqual(
      (await store.eventsAfter(id, 2, 100))?.map((event) => event.seq),
      Array.from({ length: seq - 2 }, (_, index) => index + 3),
    );
    assert.deepEqual(await store.eventsAfter(id, seq - change.events.length, 100), change.events);
    assert.deepEqual(await store.eventsAfter(id, seq, 100), []);
    assert.equal(await store.eventsAfter(id, 0, seq - 1), undefined);
    assert.equal(await store.eventsAfter(id, seq + 5, 100), undefined);
    await database.pool.query('delete from session_events where session_id = $1 and seq <= 2', [id]);
    assert.equal(await store.eventsAfter(id, 1, 100), undefined);
    assert.notEqual(await store.eventsAfter(id, 2, 100), undefined);
  });
}

function lists(rig: () => Rig): void {
  test('D18: a list shows what each session says of itself, newest first, page by page', async () => {
    const { store, newPerson, newSession } = rig();
    const owner = await newPerson();
    const made = [];
    for (let count = 0; count < 5; count += 1) made.push(await newSession(owner));
    await turn(store, made[0]?.id ?? '', [requested(), requested({ kind: 'pause', tool: 'ask_user_questions' })]);
    const first = await store.list(owner, { limit: 2 });
    const second = await store.list(owner, { limit: 2, cursor: first.nextCursor });
    const third = await store.list(owner, { limit: 2, cursor: second.nextCursor });
    assert.equal(third.nextCursor, undefined);
    const all = [...first.sessions, ...second.sessions, ...third.sessions];
    assert.deepEqual(new Set(all.map((session) => session.id)), new Set(made.map((state) => state.id)));
    const state = await store.load(made[0]?.id ?? '');
    assert.deepEqual(all[0], state && publicSession(state));
    assert.deepEqual(all[0]?.waiting, { approvals: 1, answers: 1 });
    assert.equal((await store.list(owner, { limit: 9, cursor: 'nonsense' })).sessions.length, 5);
  });

  test('D23: a rule is listed, touched and revoked by its owner alone', async () => {
    const { store, newPerson, newSession } = rig();
    const [owner, stranger] = [await newPerson(), await newPerson()];
    const { id } = await newSession(owner);
    const call = requested();
    await turn(store, id, [call]);
    await done({ store, id }, { type: 'decide', callId: call.id, inputHash: 'hash', decision: 'approve', scope: 'session', by: owner, subject: 'ls' });
    const [rule] = await store.rules(owner);
    assert.equal(rule?.sessionId, id);
    const at = new Date().toISOString();
    await store.touchRule(rule.id, at);
    assert.equal((await store.rules(owner))[0]?.lastUsedAt, at);
    assert.deepEqual(await store.rules(stranger), []);
    assert.equal(await store.revokeRule(stranger, rule.id), false);
    assert.equal(await store.revokeRule(owner, rule.id), true);
    assert.deepEqual(await store.rules(owner), []);
  });
}

function lookingAgain(rig: () => Rig): void {
  test('N7: how far sessions are is told for those that are named, and for those with open calls of a machine', async () => {
    const { store, newSession } = rig();
    const [idle, working, other] = [await newSession(), await newSession(), await newSession()];
    const gatewayId = v7();
    const call = requested({ gatewayId, workspace: '/w' });
    await turn(store, working.id, [call]);
    const seq = (await store.load(working.id))?.seq;
    const places = async (ids: readonly string[], machines: readonly string[]) =>
      (await store.places(ids, machines)).toSorted((a, b) => (a.sessionId < b.sessionId ? -1 : 1));
    assert.deepEqual(await places([], []), []);
    assert.deepEqual(await places([idle.id, v7()], []), [{ sessionId: idle.id, seq: 1 }]);
    assert.deepEqual(await places([idle.id], [gatewayId, v7()]), [
      { sessionId: idle.id, seq: 1 },
      { sessionId: working.id, seq },
    ]);
    assert.deepEqual(await places([working.id], [gatewayId]), [{ sessionId: working.id, seq }]);
    await done(
      { store, id: working.id },
      { type: 'decide', callId: call.id, inputHash: 'hash', decision: 'deny', scope: 'once', by: 'someone', subject: 'ls' },
    );
    assert.deepEqual(await places([other.id], [gatewayId]), [{ sessionId: other.id, seq: 1 }]);
  });

  test('C17: of the sessions that a machine names, those are over that are archived, deleted, or of another person', async () => {
    const { store, newSession, newPerson, ownerId } = rig();
    const [mine, archived, gone, another] = [await newSession(), await newSession(), await newSession(), await newSession(await newPerson())];
    await done({ store, id: archived.id }, { type: 'update', archived: true });
    await store.delete(gone.id, ownerId);
    const asked = [mine.id, archived.id, gone.id, another.id];
    const over = new Map((await store.overSessions(ownerId, asked)).map(({ sessionId, isDeleted }) => [sessionId, isDeleted]));
    assert.deepEqual(over, new Map([archived, gone, another].map(({ id }) => [id, id !== archived.id])));
    assert.deepEqual(await store.overSessions(ownerId, []), []);
  });

  test('N9: a load of history counts what was settled in the whole session, however little of it is new', async () => {
    const { store, newSession } = rig();
    const { id } = await newSession();
    const gatewayId = v7();
    const instanceId = v7();
    const call = requested({ gatewayId, workspace: '/w' });
    await turn(store, id, [call]);
    await done(
      { store, id },
      { type: 'decide', callId: call.id, inputHash: 'hash', decision: 'approve', scope: 'once', by: 'someone', subject: 'ls', instanceId },
    );
    await done({ store, id }, { type: 'call_lost', callId: call.id, instanceId, reason: 'gone' });
    const state = await store.load(id);
    assert.ok(state?.turn);
    await done({ store, id }, completed(state));
    const { messages, settled } = await store.historyAfter(id, 0, 100);
    assert.equal(settled, 0);
    await done({ store, id }, { type: 'resolve', callId: call.id, outcome: 'done', by: 'someone', via: 'test' });
    const later = await store.historyAfter(id, messages.at(-1)?.seq ?? 0, 100);
    assert.deepEqual([later.messages, later.settled], [[], 1]);
  });
}

function ownership(rig: () => Rig): void {
  test('D19: another person finds nothing and changes nothing', async () => {
    const { store, newPerson, newSession } = rig();
    const stranger = await newPerson();
    const before = await newSession();
    const outcome = await commit({ store, id: before.id }, execute('mine now'), { ownerId: stranger });
    assert.equal(!outcome.ok && 'error' in outcome && outcome.error.code, 'not_found');
    assert.equal(await store.load(before.id, stranger), undefined);
    assert.equal(await store.delete(before.id, stranger), false);
    assert.equal((await store.list(stranger, { limit: 10 })).sessions.length, 0);
    assert.deepEqual(await store.load(before.id, rig().ownerId), before);
  });

  test('D20: a deleted session is gone with all that belonged to it', async () => {
    const { store, database, newSession, ownerId } = rig();
    const { id } = await newSession();
    const call = requested();
    await turn(store, id, [call]);
    assert.equal(await store.delete(id, ownerId), true);
    assert.equal(await store.delete(id, ownerId), false);
    assert.equal(await store.load(id), undefined);
    assert.equal(await store.findCall(call.id), undefined);
    const left = await database.pool.query('select 1 from messages where session_id = $1 union all select 1 from session_events where session_id = $1', [id]);
    assert.equal(left.rowCount, 0);
    const late = await commit({ store, id }, { type: 'stop' });
    assert.equal(!late.ok && 'error' in late && late.error.code, 'not_found');
  });
}

function machines(rig: () => Rig): void {
  test('D23: a machine belongs to whoever brought it first', async () => {
    const { store, otherStore, newPerson, ownerId } = rig();
    const stranger = await newPerson();
    const id = v7();
    const tools = [{ name: 'bash', description: 'Runs.', inputSchema: { type: 'object' }, effect: 'execute', source: 'builtin' }] as const;
    const gateway = {
      id,
      name: 'laptop',
      platform: 'linux',
      workspaces: [{ path: '/w', name: 'w' }],
      tools: [{ name: 'bash', effect: 'execute' }],
      lastSeenAt: new Date().toISOString(),
    } as const;
    const stored = { gateway: { ...gateway, workspaces: [...gateway.workspaces], tools: [...gateway.tools] }, ownerId, tools, instanceId: v7() };
    assert.equal(await store.put(stored), 1);
    assert.equal(await store.put({ ...stored, ownerId: stranger }), 'anothers');
    assert.deepEqual([await otherStore.put(stored), await store.put(stored)], [2, 3], 'hellos are counted, whichever node hears them');
    assert.deepEqual([await store.lastGreeting(id), await store.lastGreeting(v7())], [3, undefined]);
    assert.deepEqual(await store.find(id, ownerId), stored);
    assert.equal(await store.find(id, stranger), undefined);
    assert.deepEqual(await store.machinesOf(stranger), []);
    const odd = { name: 'mcp__s__odd', description: 'Odd.', inputSchema: { type: 'object' }, effect: 'execute', source: 's', isChanged: true } as const;
    assert.deepEqual([await store.putTools(id, 2, []), await otherStore.putTools(id, 3, [...tools, odd])], [false, true], 'only after the last hello');
    const renewed = await store.find(id, ownerId);
    assert.deepEqual(renewed?.tools, [...tools, odd]);
    const shown = { name: 'mcp__s__odd', effect: 'execute', source: 's', description: 'Odd.', isChanged: true };
    assert.deepEqual(renewed?.gateway.tools, [{ name: 'bash', effect: 'execute' }, shown], 'people are told what an MCP server says of its tool');
    const later = new Date(Date.now() + 1_000).toISOString();
    await store.seen(id, later);
    await store.seen(id, gateway.lastSeenAt);
    assert.equal((await store.machinesOf(ownerId))[0]?.gateway.lastSeenAt, later);
  });

  test('R25: a person has so many machines; one that nothing names makes room, the one that was away for longest, and no other', async () => {
    const { store, database, newPerson } = rig();
    const [ownerId, stranger] = [await newPerson(), await newPerson()];
    const machine = (minute: number) => {
      const lastSeenAt = new Date(Date.UTC(2_026, 0, 1, 0, minute)).toISOString();
      return { gateway: { id: v7(), name: 'm', platform: 'linux', workspaces: [], tools: [], lastSeenAt }, ownerId, tools: [], instanceId: v7() };
    };
    const [withSession, online, oldest, newer] = [machine(1), machine(2), machine(3), machine(4)];
    for (const stored of [withSession, online, oldest, newer]) assert.equal(await store.put(stored), 1);
    await store.create({ id: v7(), ownerId, title: 't', model: 'demo', at: new Date().toISOString(), gatewayId: withSession.gateway.id, workspace: '/w' });
    await database.pool.query(
      `insert into gateways (id, owner_id, name, platform, workspaces, tools, instance_id, last_seen_at)
       select gen_random_uuid(), $1, 'm', 'linux', '[]', '[]', gen_random_uuid(), now() from generate_series(5, $2)`,
      [ownerId, MOST_MACHINES],
    );
    const late = machine(5);
    assert.equal(await store.put(late), 'too_many');
    assert.deepEqual(
      [await store.put(oldest), await store.put({ ...late, ownerId: stranger })],
      [2, 1],
      'those that are known, and other people, come as ever',
    );
    const except = [online.gateway.id];
    assert.equal(await store.forgetUnused(ownerId, except), true);
    const left = async (): Promise<string[]> => (await store.machinesOf(ownerId)).map(({ gateway }) => gateway.id);
    const remaining = await left();
    assert.deepEqual(
      [withSession, online, oldest, newer].map(({ gateway }) => remaining.includes(gateway.id)),
      [true, true, false, true],
    );
    assert.equal(await store.put(machine(6)), 1);
    await database.pool.query('delete from gateways where owner_id = $1 and id <> all ($2)', [ownerId, [withSession.gateway.id, online.gateway.id]]);
    assert.equal(await store.forgetUnused(ownerId, except), false);
    assert.equal((await left()).length, 2);
  });

  test('D23: the open calls of a machine are found across sessions, with whose they are', async () => {
    const { store, newSession, ownerId } = rig();
    const gatewayId = v7();
    const [first, second] = [await newSession(), await newSession()];
    const [one, other] = [requested({ gatewayId }), requested({ gatewayId })];
    await turn(store, first.id, [one]);
    await turn(store, second.id, [other]);
    assert.deepEqual(
      (await store.openCallsOf(gatewayId)).map((open) => open.sessionId),
      [first.id, second.id],
    );
    await done({ store, id: first.id }, { type: 'decide', callId: one.id, inputHash: 'hash', decision: 'deny', scope: 'once', by: 'me', subject: '' });
    assert.deepEqual(
      (await store.openCallsOf(gatewayId)).map((open) => open.call.call.id),
      [other.id],
    );
    assert.equal((await store.findCall(other.id))?.ownerId, ownerId);
  });
}
