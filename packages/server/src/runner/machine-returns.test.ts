import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { textResult } from '@tendon/protocol';
import { createGate, within } from '@tendon/testing';
import { v7 } from 'uuid';
import { type InputOf, transition } from '../kernel/index.ts';
import { asksFor, FakeMachine, hangs, hello, type RunnerRig, runnerRig } from './runner-rig.ts';

async function callState(rig: RunnerRig, sessionId: string, callId: string): Promise<string | undefined> {
  const state = await rig.store.load(sessionId);
  return state?.calls.find(({ call }) => call.id === callId)?.call.state;
}

test('R16: a hello that waited for the database does not end a call that a newer connection was given', async () => {
  const gate = createGate();
  let asked = 0;
  await using rig = await runnerRig((store) => ({
    openCallsOf: async (...args) => {
      asked += 1;
      if (asked === 1) await gate.pass();
      return store.openCallsOf(...args);
    },
  }));
  rig.steps.push(asksFor('read_file', { path: 'a.txt' }), hangs);
  const { 'gateway:hello': greet, 'tool:started': started } = rig.runner.gateways.handlers;
  const [gatewayId, instanceId] = [v7(), v7()];
  const [early, late] = [new FakeMachine(rig.person.userId), new FakeMachine(rig.person.userId)];
  const first = greet(early, hello(gatewayId, instanceId));
  await gate.reached;
  assert.ok((await greet(late, hello(gatewayId, instanceId))).ok);
  const sessionId = await rig.newSession();
  await rig.execute(sessionId, 'read it');
  await within('the sending', late.firstSent);
  const callId = late.sent[0]?.callId ?? '';
  await started(late, { callId });
  gate.open();
  assert.equal((await first).ok, false);
  assert.equal(await callState(rig, sessionId, callId), 'running');
  assert.equal(late.sent.length, 1);
});

test('R17: a call whose start is stored after its machine has come back without it is begun again', async () => {
  const gate = createGate();
  await using rig = await runnerRig((store) => ({
    commit: async (request, decide) => {
      if (request.input.type === 'call_started') await gate.pass();
      return store.commit(request, decide);
    },
  }));
  rig.steps.push(asksFor('read_file', { path: 'a.txt' }), hangs);
  const { 'gateway:hello': greet, 'tool:started': started } = rig.runner.gateways.handlers;
  const [gatewayId, instanceId] = [v7(), v7()];
  const [old, fresh] = [new FakeMachine(rig.person.userId), new FakeMachine(rig.person.userId)];
  await greet(old, hello(gatewayId, instanceId));
  const sessionId = await rig.newSession();
  await rig.execute(sessionId, 'read it');
  await within('the first sending', old.firstSent);
  const callId = old.sent[0]?.callId ?? '';
  const report = started(old, { callId });
  await gate.reached;
  rig.runner.gateways.disconnected(old);
  old.disconnect();
  assert.ok((await greet(fresh, hello(gatewayId, instanceId))).ok);
  gate.open();
  assert.ok((await report).ok);
  await within('the second sending', fresh.firstSent);
  assert.equal(fresh.sent[0]?.callId, callId);
});

test('R18: a machine keeps a result that its hello brings to a server which is stopping', async () => {
  const gate = createGate();
  await using rig = await runnerRig((store) => ({
    commit: async (request, decide) => {
      if (request.input.type !== 'call_finished') return store.commit(request, decide);
      await gate.pass();
      throw new Error('the database is away');
    },
  }));
  rig.steps.push(asksFor('read_file', { path: 'a.txt' }), hangs);
  const { 'gateway:hello': greet } = rig.runner.gateways.handlers;
  const [gatewayId, instanceId] = [v7(), v7()];
  const [old, fresh] = [new FakeMachine(rig.person.userId), new FakeMachine(rig.person.userId)];
  await greet(old, hello(gatewayId, instanceId));
  await rig.execute(await rig.newSession(), 'read it');
  await within('the sending', old.firstSent);
  const callId = old.sent[0]?.callId ?? '';
  const greeting = greet(fresh, { ...hello(gatewayId, instanceId), calls: [{ callId, state: 'finished', result: textResult('succeeded', 'words') }] });
  await gate.reached;
  const closing = rig.runner.close();
  gate.open();
  const answer = await greeting;
  await closing;
  assert.equal(answer.ok, false);
  assert.equal(!answer.ok && answer.error.code, 'unavailable');
});

test('R19: a call that its machine refused is not sent over a new connection before the refusal is stored', async () => {
  const gate = createGate();
  await using rig = await runnerRig((store) => ({
    commit: async (request, decide) => {
      if (request.input.type === 'update') await gate.pass();
      return store.commit(request, decide);
    },
  }));
  rig.steps.push(asksFor('read_file', { path: 'a.txt' }), hangs);
  const { 'gateway:hello': greet } = rig.runner.gateways.handlers;
  const [gatewayId, instanceId] = [v7(), v7()];
  const [old, fresh] = [new FakeMachine(rig.person.userId), new FakeMachine(rig.person.userId)];
  await greet(old, hello(gatewayId, instanceId));
  const sessionId = await rig.newSession();
  await rig.execute(sessionId, 'read it');
  await within('the sending', old.firstSent);
  const renamed = rig.runner.agent['session:update'](rig.person, { sessionId, title: 'Another' });
  await gate.reached;
  old.refuse({ code: 'journal_unavailable', message: 'The disk is full.' });
  rig.runner.gateways.disconnected(old);
  assert.ok((await greet(fresh, hello(gatewayId, instanceId))).ok);
  gate.open();
  await renamed;
  await rig.until(() => rig.heard.some(({ notice }) => JSON.stringify(notice).includes('journal_unavailable')));
  assert.equal(fresh.sent.length, 0);
});

test('N11: a connection that has outlived the move of its machine to another node gives up nothing, and is cut', async () => {
  await using rig = await runnerRig();
  rig.steps.push(asksFor('bash', { command: 'ls' }), hangs);
  const [gatewayId, oldInstance, newInstance] = [v7(), v7(), v7()];
  const machine = new FakeMachine(rig.person.userId);
  assert.ok((await rig.runner.gateways.handlers['gateway:hello'](machine, hello(gatewayId, oldInstance))).ok);
  const sessionId = await rig.newSession();
  await rig.execute(sessionId, 'run it');
  await rig.until(() => rig.heard.some(({ name, notice }) => name === 'session:event' && (notice as { type: string }).type === 'call.requested'));
  const call = (await rig.store.load(sessionId))?.calls[0]?.call;
  assert.equal(call?.state, 'awaiting_approval');
  // What another node does when the machine has greeted there as a new instance.
  const known = await rig.store.find(gatewayId, rig.person.userId);
  assert.ok(known && call);
  await rig.store.put({ ...known, instanceId: newInstance });
  const approve: InputOf<'decide'> = {
    type: 'decide',
    callId: call.id,
    inputHash: call.inputHash,
    decision: 'approve',
    scope: 'once',
    by: rig.person.userId,
    subject: 'ls',
    instanceId: newInstance,
  };
  assert.ok((await rig.store.commit({ sessionId, node: 'other', input: approve, focus: { callId: call.id } }, transition)).ok);
  await rig.runner.agent['session:update'](rig.person, { sessionId, title: 'looked at' });
  while (!machine.isCut) await setImmediate();
  assert.equal(await callState(rig, sessionId, call.id), 'queued');
  assert.deepEqual(machine.sent, []);
});

test('R25: when a person has too many machines one that nothing names makes room; when there is none, the refusal says how to remove some', async () => {
  let hasUnused = true;
  const except: (readonly string[])[] = [];
  await using rig = await runnerRig((store) => ({
    put: async (gateway) => (hasUnused && except.length > 0 ? store.put(gateway) : gateway.gateway.name === 'too many' ? 'too_many' : store.put(gateway)),
    forgetUnused: async (_ownerId, ids) => {
      except.push(ids);
      return hasUnused;
    },
  }));
  const { 'gateway:hello': greet } = rig.runner.gateways.handlers;
  const [connected, next] = [v7(), { ...hello(v7(), v7()), name: 'too many' }];
  assert.ok((await greet(new FakeMachine(rig.person.userId), hello(connected, v7()))).ok);
  assert.ok((await greet(new FakeMachine(rig.person.userId), next)).ok);
  assert.deepEqual(except, [[connected]], 'what is connected stays');
  hasUnused = false;
  const machine = new FakeMachine(rig.person.userId);
  const refused = await greet(machine, { ...hello(v7(), v7()), name: 'too many' });
  assert.equal(!refused.ok && refused.error.code, 'conflict');
  assert.match(refused.ok ? '' : refused.error.message, /1000 machines already.*Delete sessions of machines/);
  assert.ok((await greet(machine, hello(v7(), v7()))).ok, 'the connection may be that of another one');
});
