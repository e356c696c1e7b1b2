import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { AgentRequest, Call, GatewayRequestName } from '@tendon/protocol';
import { nodeRig, runs, type SessionView, says, until } from '@tendon/testing';
import { MachineSocket } from './machine-socket.ts';

/*
 * A person's own machine that says what it should not about the calls that it was given, another one of theirs that speaks about them too,
 * and a page whose decision is not what was shown. Every field of a result and of a decision is turned, each is sent again and at the wrong
 * time: nothing of it counts, and what is right counts once.
 */

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());
const gatewayId = randomUUID();
const instanceId = randomUUID();
const machine = await MachineSocket.connect({ url: rig.url, key: rig.key });
after(() => machine[Symbol.asyncDispose]());
assert.ok((await machine.hello({ gatewayId, instanceId })).ok);
const other = await MachineSocket.connect({ url: rig.url, key: rig.key });
after(() => other[Symbol.asyncDispose]());
assert.ok((await other.hello({ name: 'another of theirs' })).ok);

const RESULT = { status: 'succeeded', content: [{ type: 'text', text: 'the true output' }] };
const FORGED = { status: 'succeeded', content: [{ type: 'text', text: 'forged' }] };

interface Scene {
  readonly session: SessionView;
  readonly call: Call;
}

/** A session on that machine whose model has asked for a command. */
async function asked(command: string): Promise<Scene> {
  rig.model.script([runs(command)]);
  rig.model.otherwise(() => says('done'));
  const session = await rig.open({ gatewayId, workspace: '/' });
  await session.say('work');
  return { session, call: await session.untilCall('awaiting_approval') };
}

async function given(command: string): Promise<Scene> {
  const scene = await asked(command);
  await scene.session.decide(scene.call, 'approve');
  const dispatch = await until({ what: 'the call to reach the machine', pollMs: 10, check: () => dispatchOf(scene.call) });
  dispatch.answer({ accepted: true });
  await machine.request('tool:started', { callId: scene.call.id });
  return { ...scene, call: await scene.session.untilCall('running') };
}

const dispatchOf = (call: Call) => machine.commands.find(({ name, payload }) => name === 'tool:call' && (payload as { callId: string }).callId === call.id);

/** As a page that has just come sees it. */
async function stateOf({ session, call }: Scene): Promise<Call | undefined> {
  return (await session.socket.ask('session:attach', { sessionId: session.id })).calls.find(({ id }) => id === call.id);
}

describe('a result', () => {
  let scene: Scene;
  let waiting: Scene;
  before(async () => {
    waiting = await asked('echo waits');
    scene = await given('echo runs');
  });

  const turned: readonly [string, (callId: string) => object][] = [
    ['no call', () => ({ result: FORGED })],
    ['a call of nobody', () => ({ callId: randomUUID(), result: FORGED })],
    ['a call that is named as a URN', (callId) => ({ callId: `urn:uuid:${callId}`, result: FORGED })],
    ['a call with a blank', (callId) => ({ callId: `${callId} `, result: FORGED })],
    ['a list of calls', (callId) => ({ callId: [callId], result: FORGED })],
    ['an object for a call', (callId) => ({ callId: { id: callId }, result: FORGED })],
    ['no result', (callId) => ({ callId })],
    ['a result that is text', (callId) => ({ callId, result: 'forged' })],
    ['a result that is a list', (callId) => ({ callId, result: [FORGED] })],
    ...['running', 'approved', 'denied', 'queued', 'awaiting_approval', 'SUCCEEDED', '', null, true, 7].map((status): [string, (callId: string) => object] => [
      `the status ${JSON.stringify(status)}`,
      (callId) => ({ callId, result: { ...FORGED, status } }),
    ]),
    ['no status', (callId) => ({ callId, result: { content: FORGED.content } })],
    ['no content', (callId) => ({ callId, result: { status: 'succeeded' } })],
    ...['forged', null, {}, [null], ['forged'], [{ type: 'script', text: 'forged' }], [{ type: 'text' }], [{ type: 'text', text: 7 }]].map(
      (content): [string, (callId: string) => object] => [
        `the content ${JSON.stringify(content)}`,
        (callId) => ({ callId, result: { status: 'succeeded', content } }),
      ],
    ),
    ['an error that is text', (callId) => ({ callId, result: { ...FORGED, status: 'failed', error: 'forged' } })],
    ['an error without words', (callId) => ({ callId, result: { ...FORGED, status: 'failed', error: { code: 'x' } } })],
    ['a result of 2 MB', (callId) => ({ callId, result: { status: 'succeeded', content: [{ type: 'text', text: 'x'.repeat(2_000_000) }] } })],
    ['a prototype', (callId) => JSON.parse(`{"callId":"${callId}","result":{"__proto__":{"status":"succeeded"},"content":[]}}`)],
  ];
  for (const [title, make] of turned) {
    test(`C6, P1: with ${title} counts for nothing`, async () => {
      const answer = await machine.request('tool:result', make(scene.call.id));
      // What is nowhere is acknowledged, so that a machine does not send it for ever.
      if (!/of nobody/.test(title)) assert.ok(!answer.ok, 'it was taken');
      assert.equal((await stateOf(scene))?.state, 'running');
    });
  }

  for (const name of ['tool:started', 'tool:output', 'tool:result'] as const satisfies readonly GatewayRequestName[]) {
    test(`C6: ${name} from another machine of the same person counts for nothing`, async () => {
      const events = scene.session.events.length;
      await other.request(name, { callId: scene.call.id, offset: 0, text: 'forged', result: FORGED });
      const now = await stateOf(scene);
      assert.deepEqual([now?.state, now?.result, scene.session.events.length], ['running', undefined, events]);
    });
    test(`C6, C3: ${name} about a call that waits for its approval counts for nothing`, async () => {
      await machine.request(name, { callId: waiting.call.id, offset: 0, text: 'forged', result: FORGED });
      assert.equal((await stateOf(waiting))?.state, 'awaiting_approval');
    });
  }

  test('C6: the right one counts once; sent again, otherwise, and with what belongs before it, it changes nothing', async () => {
    assert.ok((await machine.request('tool:result', { callId: scene.call.id, result: RESULT })).ok);
    await scene.session.untilCallIs(scene.call.id, 'succeeded');
    await scene.session.untilStatus('idle');
    const [events, over] = [scene.session.events.length, await stateOf(scene)];
    for (const result of [RESULT, FORGED, { ...FORGED, status: 'failed' }, { ...FORGED, status: 'cancelled' }, { ...FORGED, status: 'unknown' }])
      await machine.request('tool:result', { callId: scene.call.id, result });
    await machine.request('tool:started', { callId: scene.call.id });
    await machine.request('tool:output', { callId: scene.call.id, offset: 0, text: 'forged' });
    await machine.hello({ gatewayId, instanceId, calls: [{ callId: scene.call.id, state: 'finished', result: FORGED }] });
    await machine.hello({ gatewayId, instanceId, calls: [{ callId: scene.call.id, state: 'running' }] });
    assert.deepEqual(await stateOf(scene), over);
    assert.equal(scene.session.events.length, events);
    assert.ok(!JSON.stringify(scene.session.socket.received).includes('forged'), 'a forged word was shown');
    assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /the true output/);
  });
});

describe('a decision', () => {
  let scene: Scene;
  let elsewhere: SessionView;
  let second: Scene;
  before(async () => {
    second = await asked('echo second');
    scene = await asked('echo first');
    elsewhere = await rig.open({ gatewayId, workspace: '/' });
  });

  type Decision = AgentRequest<'tool:decide'>;
  const turned: readonly [string, (right: Decision) => object][] = [
    ...['', 'approved', 'APPROVE', 'Approve ', null, true, 1, ['approve']].map((decision): [string, (right: Decision) => object] => [
      `the decision ${JSON.stringify(decision)}`,
      (right) => ({ ...right, decision }),
    ]),
    ...['forever', 'ALWAYS', '', null, true, ['once']].map((scope): [string, (right: Decision) => object] => [
      `the scope ${JSON.stringify(scope)}`,
      (right) => ({ ...right, scope }),
    ]),
    ['another session of the same person', (right) => ({ ...right, sessionId: elsewhere.id })],
    ['the session of nobody', (right) => ({ ...right, sessionId: randomUUID() })],
    ['no session', ({ sessionId: _, ...rest }) => rest],
    ['the call of nobody', (right) => ({ ...right, callId: randomUUID() })],
    ['a call of another session', (right) => ({ ...right, callId: second.call.id })],
    ['no call', ({ callId: _, ...rest }) => rest],
    ['the hash of another call', (right) => ({ ...right, inputHash: second.call.inputHash })],
    ['no hash', ({ inputHash: _, ...rest }) => rest],
    ['an empty hash', (right) => ({ ...right, inputHash: '' })],
    ['a hash with more', (right) => ({ ...right, inputHash: `${right.inputHash}=` })],
    ['a hash with less', (right) => ({ ...right, inputHash: right.inputHash.slice(0, -1) })],
    ['a hash in lower case', (right) => ({ ...right, inputHash: right.inputHash.toLowerCase() })],
    ['a list of hashes', (right) => ({ ...right, inputHash: [right.inputHash] })],
  ];
  for (const [title, make] of turned) {
    test(`C9, I11: with ${title} starts nothing`, async () => {
      const { session, call } = scene;
      const right: Decision = { sessionId: session.id, callId: call.id, inputHash: call.inputHash, decision: 'approve' };
      const answer = await session.socket.request('tool:decide', make(right) as never);
      assert.ok(!answer.ok, 'it was taken');
      assert.deepEqual([(await stateOf(scene))?.state, (await stateOf(second))?.state], ['awaiting_approval', 'awaiting_approval']);
      assert.equal(dispatchOf(call), undefined, 'it has reached the machine');
    });
  }

  test('C5: a denial that is followed by an approval, and sent again, stays one', async () => {
    const { session, call } = scene;
    const right: Decision = { sessionId: session.id, callId: call.id, inputHash: call.inputHash, decision: 'deny' };
    assert.ok((await session.socket.request('tool:decide', right)).ok);
    assert.ok((await session.socket.request('tool:decide', right)).ok, 'its repeat is acknowledged');
    for (const scope of ['once', 'session', 'always'] as const) {
      const answer = await session.socket.request('tool:decide', { ...right, decision: 'approve', scope });
      assert.equal(!answer.ok && answer.error.code, 'conflict');
    }
    await session.untilStatus('idle');
    assert.equal(dispatchOf(call), undefined);
    assert.deepEqual((await session.socket.ask('rule:list', {})).rules, [], 'a rule was stored');
  });
});
