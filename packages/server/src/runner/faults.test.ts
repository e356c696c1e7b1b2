import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionEvent } from '@tendon/protocol';
import { createGate, within } from '@tendon/testing';
import { v7 } from 'uuid';
import { asksFor, FakeMachine, hangs, hello, runnerRig } from './runner-rig.ts';

function eventTypes(heard: readonly { name: string; notice: unknown }[]): string[] {
  return heard.filter((entry) => entry.name === 'session:event').map((entry) => (entry.notice as SessionEvent).type);
}

function seqs(heard: readonly { name: string; notice: unknown }[]): number[] {
  return heard.filter((entry) => entry.name === 'session:event').map((entry) => (entry.notice as SessionEvent).seq);
}

for (const type of ['execute', 'turn_completed'] as const) {
  test(`R9: a ${type} that was written while its answer was lost is told to clients, once and in order, and its work is done`, async () => {
    let isArmed = true;
    await using rig = await runnerRig((store) => ({
      commit: async (request, decide) => {
        const outcome = await store.commit(request, decide);
        if (request.input.type !== type || !isArmed) return outcome;
        isArmed = false;
        throw new Error('the answer was lost');
      },
    }));
    const sessionId = await rig.newSession();
    await rig.execute(sessionId, 'hello').catch(() => undefined);
    await rig.until(() => eventTypes(rig.heard).includes('message.completed') && seqs(rig.heard).at(-1) === 5);
    assert.deepEqual(seqs(rig.heard), [2, 3, 4, 5]);
    const state = await rig.store.load(sessionId);
    assert.equal(state?.turn, undefined);
  });
}

test('N13: a turn that was stopped while the database was slow tells nothing again when its own end comes late', async () => {
  const gate = createGate();
  let refusals = 0;
  await using rig = await runnerRig((store) => ({
    rules: async (ownerId) => {
      await gate.pass();
      return store.rules(ownerId);
    },
    commit: async (request, decide) => {
      if (request.input.type !== 'turn_completed' || refusals > 0) return store.commit(request, decide);
      refusals += 1;
      throw new Error('the database is away');
    },
  }));
  rig.steps.push(asksFor('update_plan', { items: [] }));
  const sessionId = await rig.newSession();
  await rig.execute(sessionId, 'hello');
  await within('the turn to end', gate.reached);
  await rig.runner.agent['agent:stop'](rig.person, { sessionId });
  await rig.runner.agent['session:update'](rig.person, { sessionId, title: 'Another' });
  const told = seqs(rig.heard);
  gate.open();
  await rig.until(() => refusals > 0);
  await rig.runner.agent['session:update'](rig.person, { sessionId, title: 'A third' });
  await rig.until(() => seqs(rig.heard).length > told.length);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const all = seqs(rig.heard);
  assert.deepEqual(
    all,
    [...new Set(all)].toSorted((a, b) => a - b),
    'each event once and in order',
  );
});

test('R9: an event that could not be read again does not hold up what the commit owes', async () => {
  let lost = 0;
  await using rig = await runnerRig((store) => ({
    commit: async (request, decide) => {
      const outcome = await store.commit(request, decide);
      if (request.input.type !== 'update' || lost > 0 || !('title' in request.input)) return outcome;
      lost += 1;
      throw new Error('the answer was lost');
    },
    eventsAfter: async (...args) => {
      lost += 1;
      if (lost === 2) throw new Error('the database is away');
      return store.eventsAfter(...args);
    },
  }));
  const sessionId = await rig.newSession();
  const renamed = rig.runner.agent['session:update'](rig.person, { sessionId, title: 'Another' });
  await Promise.all([assert.rejects(renamed), rig.execute(sessionId, 'hello')]);
  await rig.until(() => eventTypes(rig.heard).includes('message.completed') && seqs(rig.heard).at(-1) === 6);
  assert.deepEqual(seqs(rig.heard), [2, 3, 4, 5, 6]);
});

test('R10: sessions that cannot be looked at while the database is away end nothing and are looked at later', async () => {
  let isAway = false;
  let loads = 0;
  await using rig = await runnerRig((store) => ({
    load: (...args) => {
      loads += 1;
      return isAway ? Promise.reject(new Error('the database is away')) : store.load(...args);
    },
  }));
  rig.steps.push(asksFor('bash', { command: 'ls' }), hangs);
  const gatewayId = v7();
  const instanceId = v7();
  const first = new FakeMachine(rig.person.userId);
  assert.ok((await rig.runner.gateways.handlers['gateway:hello'](first, hello(gatewayId, instanceId))).ok);
  const sessionId = await rig.newSession();
  await rig.execute(sessionId, 'hello');
  await rig.until(() => eventTypes(rig.heard).includes('call.requested'));
  isAway = true;
  const before = loads;
  for (let count = 0; count < 10; count += 1) await assert.rejects(rig.runner.agent['session:update'](rig.person, { sessionId, title: 'x' }));
  const second = new FakeMachine(rig.person.userId);
  assert.ok((await rig.runner.gateways.handlers['gateway:hello'](second, hello(gatewayId, instanceId))).ok);
  await rig.until(() => rig.logLines.filter((line) => line.msg.includes('looked at')).length === 2);
  assert.ok(loads - before <= 10 + 2, `looked at ${loads - before} times`);
  isAway = false;
});

test('R11: a machine whose connection ends in the middle of its hello is not online', async () => {
  const gate = createGate();
  let isHeld = true;
  await using rig = await runnerRig((store) => ({
    openCallsOf: async (...args) => {
      const open = await store.openCallsOf(...args);
      if (isHeld) await gate.pass();
      return open;
    },
  }));
  const machine = new FakeMachine(rig.person.userId);
  const greeting = rig.runner.gateways.handlers['gateway:hello'](machine, hello(v7(), v7()));
  await gate.reached;
  rig.runner.gateways.disconnected(machine);
  isHeld = false;
  gate.open();
  assert.equal((await greeting).ok, false);
  const listed = await rig.runner.agent['gateway:list'](rig.person, {});
  assert.deepEqual(listed.ok && listed.data.gateways.map((gateway) => gateway.online), [false]);
});

test('R11: of two hellos of one machine the later one counts, whichever is done first', async () => {
  const gate = createGate();
  let asked = 0;
  await using rig = await runnerRig((store) => ({
    openCallsOf: async (...args) => {
      asked += 1;
      if (asked === 1) await gate.pass();
      return store.openCallsOf(...args);
    },
  }));
  const gatewayId = v7();
  const instanceId = v7();
  const early = new FakeMachine(rig.person.userId);
  const late = new FakeMachine(rig.person.userId);
  const first = rig.runner.gateways.handlers['gateway:hello'](early, hello(gatewayId, instanceId));
  await gate.reached;
  assert.ok((await rig.runner.gateways.handlers['gateway:hello'](late, hello(gatewayId, instanceId))).ok);
  gate.open();
  assert.equal((await first).ok, false);
  assert.equal(late.isCut, false);
});

test('R12: a call that is handed over while its machine greets again is sent over the new connection', async () => {
  const gate = createGate();
  let isHeld = false;
  await using rig = await runnerRig((store) => ({
    openCallsOf: async (...args) => {
      const open = await store.openCallsOf(...args);
      if (isHeld) {
        isHeld = false;
        await gate.pass();
      }
      return open;
    },
  }));
  rig.steps.push(asksFor('read_file', { path: 'a.txt' }), hangs);
  const gatewayId = v7();
  const instanceId = v7();
  const old = new FakeMachine(rig.person.userId);
  const fresh = new FakeMachine(rig.person.userId);
  await rig.runner.gateways.handlers['gateway:hello'](old, hello(gatewayId, instanceId));
  isHeld = true;
  const greeting = rig.runner.gateways.handlers['gateway:hello'](fresh, hello(gatewayId, instanceId));
  await gate.reached;
  await rig.execute(await rig.newSession(), 'read it');
  await within('the first sending', old.firstSent);
  gate.open();
  assert.ok((await greeting).ok);
  await within('the second sending', fresh.firstSent);
  assert.equal(fresh.sent[0]?.callId, old.sent[0]?.callId);
});

test('R13: what comes in after the end does no work and does not try for ever', async () => {
  const gate = createGate();
  let commits = 0;
  let isClosed = false;
  await using rig = await runnerRig((store) => ({
    findCall: async (...args) => {
      const found = await store.findCall(...args);
      await gate.pass();
      return found && { ...found };
    },
    commit: async (request, decide) => {
      if (!isClosed) return store.commit(request, decide);
      commits += 1;
      if (commits > 100) return new Promise(() => undefined);
      throw new Error('the database is closed');
    },
  }));
  rig.steps.push(asksFor('bash', { command: 'ls' }), hangs);
  const machine = new FakeMachine(rig.person.userId);
  await rig.runner.gateways.handlers['gateway:hello'](machine, hello(v7(), v7()));
  await rig.execute(await rig.newSession(), 'hello');
  await rig.until(() => eventTypes(rig.heard).includes('call.requested'));
  const requested = rig.heard.map((entry) => entry.notice as SessionEvent).find((event) => event.type === 'call.requested');
  const callId = requested?.type === 'call.requested' ? requested.data.call.id : '';
  const report = rig.runner.gateways.handlers['tool:result'](machine, { callId, result: { status: 'succeeded', content: [] } });
  await gate.reached;
  await rig.runner.close();
  isClosed = true;
  gate.open();
  assert.equal((await report).ok, false);
  assert.equal(commits, 0);
});
