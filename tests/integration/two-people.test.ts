import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import type { AgentRequest, AgentRequestName } from '@tendon/protocol';
import { createGate, nodeRig, runs, says, waitsFor } from '@tendon/testing';

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());
const stranger = await rig.addUser();

type Attempt = { [Name in AgentRequestName]: readonly [Name, AgentRequest<Name>] }[AgentRequestName];

test("D19: whatever a stranger asks about another person's session, call, rule or machine is not found, changes nothing and lets nothing be heard", async () => {
  const session = await rig.open();
  rig.model.script([runs('echo owned >> stranger.txt')], says('denied'));
  const { messageId } = await session.say('work');
  const call = await session.untilCall('awaiting_approval');
  await session.untilStatus('waiting_for_user');
  const rules = await session.socket.ask('rule:list', {});
  assert.deepEqual(rules, { rules: [] });
  const other = await rig.connect({ key: stranger.key });
  const own = await other.ask('session:create', { model: 'compatible/scripted' });
  const about = { sessionId: session.id };
  const before = session.events.length;

  const attempts: Attempt[] = [
    ['session:attach', about],
    ['session:attach', { ...about, afterSeq: 0 }],
    ['session:history', { ...about, before: 100 }],
    ['session:update', { ...about, title: 'mine' }],
    ['session:delete', about],
    ['session:fork', { ...about, messageId }],
    ['session:fork', { sessionId: own.session.id, messageId }],
    ['agent:execute', { ...about, messageId: randomUUID(), text: 'hello' }],
    ['agent:execute', { ...about, messageId: randomUUID(), text: 'hello', mode: 'interrupt' }],
    ['agent:stop', about],
    ['agent:continue', about],
    ['message:cancel', { ...about, messageId }],
    ['message:cancel', { sessionId: own.session.id, messageId }],
    ['tool:decide', { ...about, callId: call.id, inputHash: call.inputHash, decision: 'approve' }],
    ['tool:decide', { sessionId: own.session.id, callId: call.id, inputHash: call.inputHash, decision: 'approve', scope: 'always' }],
    ['tool:result', { ...about, callId: call.id, result: { answers: [{ question: 'q', answer: 'a' }] } }],
    ['tool:result', { sessionId: own.session.id, callId: call.id, result: { answers: [{ question: 'q', answer: 'a' }] } }],
    ['session:create', { gatewayId: call.gatewayId ?? '' }],
    ['session:update', { sessionId: own.session.id, gatewayId: call.gatewayId ?? '' }],
    ['rule:revoke', { ruleId: call.id }],
  ];
  for (const [name, payload] of attempts) {
    const answer = await other.request(name, payload);
    assert.equal(!answer.ok && answer.error.code, 'not_found', `${name} ${JSON.stringify(payload)}`);
  }
  assert.ok((await other.request('session:detach', about)).ok, 'leaving what one never was in is nothing');

  assert.equal(session.events.length, before, 'nothing has changed');
  await session.decide(call, 'deny');
  await session.untilStatus('idle');
  assert.deepEqual(
    (await other.ask('session:list', {})).sessions.map((candidate) => candidate.id),
    [own.session.id],
  );
  assert.deepEqual(await other.ask('gateway:list', {}), { gateways: [] });
  const heard = JSON.stringify(other.received);
  for (const secret of [session.id, call.id, messageId]) assert.equal(heard.includes(secret), false);
  assert.ok(other.received.every((entry) => entry.name === 'session:summary' && entry.notice.session.id === own.session.id));
});

test("D16: a stranger's message with another person's message id is a conflict and tells nothing of it", async () => {
  const session = await rig.open();
  rig.model.script(says('mine'));
  const { messageId } = await session.say('my secret words');
  await session.untilStatus('idle');
  const other = await rig.connect({ key: stranger.key });
  const own = await other.ask('session:create', { model: 'compatible/scripted' });
  const answer = await other.request('agent:execute', { sessionId: own.session.id, messageId, text: 'my secret words' });
  assert.equal(!answer.ok && answer.error.code, 'conflict');
});

test('T13: a socket that has left a session hears no more of its events', async () => {
  const session = await rig.open();
  const gate = createGate();
  rig.model.script([...says('before'), waitsFor(gate), ...says(' after')]);
  const leaver = await rig.connect();
  await leaver.ask('session:attach', { sessionId: session.id });
  await session.say('go');
  await session.untilDelta('text', 'before');
  await leaver.until('the first delta', () => leaver.received.some((entry) => entry.name === 'session:delta'));
  await leaver.ask('session:detach', { sessionId: session.id });
  const heard = leaver.received.length;
  gate.open();
  await session.untilStatus('idle');
  await leaver.ask('session:list', {});
  assert.deepEqual(
    leaver.received
      .slice(heard)
      .map((entry) => entry.name)
      .filter((name) => name !== 'session:summary'),
    [],
  );
});
