import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type EventEmitter, once } from 'node:events';
import { hostname } from 'node:os';
import { after, describe, test } from 'node:test';
import { GATEWAY_NAMESPACE, PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import {
  type AgentSocket,
  createGate,
  heldCommand,
  isRunning,
  nodeRig,
  resultText,
  SessionView,
  says,
  startTendon,
  temporaryFolder,
  textOf,
  thinks,
  untilEnded,
  waitsFor,
} from '@tendon/testing';
import { io, type Socket } from 'socket.io-client';

/*
 * Two nodes on one database: the machine is at the first one, people are at either. That work outlives its node is in
 * several-nodes.test.ts, and that lost notices do no harm is in the simulation.
 */

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());
const other = await rig.startNode();
// Nodes hear each other once both listen: what one tells before is looked up.
const [here, there] = [await rig.connect({ name: 'here' }), await other.connect({ name: 'there' })];

async function openAtBoth(): Promise<{ atFirst: SessionView; atOther: SessionView }> {
  const atFirst = await SessionView.create(here);
  return { atFirst, atOther: await SessionView.attach(there, atFirst.id, 0) };
}

describe('what one node commits', () => {
  test('N1: it reaches everyone who is attached at another node, each event once and in order', async () => {
    const { atFirst, atOther } = await openAtBoth();
    rig.model.script(says('one'), says('two'));
    await atFirst.say('first question');
    await atFirst.untilStatus('idle');
    await atOther.say('second question');
    await atOther.untilStatus('idle');
    await atFirst.untilSeq(atOther.session.seq);
    assert.deepEqual(atFirst.events, atOther.events);
    assert.deepEqual(atFirst.messages.map(textOf), ['first question', 'one', 'second question', 'two']);
    atFirst.assertGapFree();
    atOther.assertGapFree();
  });

  test('N1: lists of sessions change at every node, by what is made, renamed and deleted', async () => {
    const from = there.received.length;
    const told = (check: (title: string, isDeleted: boolean) => boolean) =>
      there.until('the summary', () =>
        there.received.slice(from).some((entry) => entry.name === 'session:summary' && check(entry.notice.session.title, entry.notice.deleted === true)),
      );
    const { session } = await here.ask('session:create', { title: 'made here' });
    await told((title) => title === 'made here');
    await here.ask('session:update', { sessionId: session.id, title: 'renamed here' });
    await told((title) => title === 'renamed here');
    await here.ask('session:delete', { sessionId: session.id });
    await told((_title, isDeleted) => isDeleted);
    assert.equal((await there.request('session:attach', { sessionId: session.id })).ok, false);
  });
});

describe('what streams at one node', () => {
  test('N2: its text and thoughts are shown at another, without a gap', async () => {
    const { atFirst, atOther } = await openAtBoth();
    const gate = createGate();
    rig.model.script([...thinks('I wonder'), ...says('a long answer, '), waitsFor(gate), ...says('and its end')]);
    await atFirst.say('tell me');
    await atOther.untilDelta('reasoning', 'I wonder');
    await atOther.untilDelta('text', 'a long answer, ');
    gate.open();
    await atOther.untilStatus('idle');
    const answer = atOther.messages.at(-1);
    assert.ok(answer);
    assert.equal(atOther.streamed(answer.id, 1), 'a long answer, and its end');
    assert.equal(atOther.streamed(answer.id, 0), 'I wonder');
  });

  test('N2: whoever attaches in the middle at another node is shown all of it, and goes on from there', async () => {
    const session = await SessionView.create(here);
    const gate = createGate();
    rig.model.script([...thinks('hm'), ...says('first half, '), waitsFor(gate), ...says('second half')]);
    await session.say('tell me');
    await session.untilDelta('text', 'first half, ');
    const late = await SessionView.attach(there, session.id);
    const { live } = late.attached;
    assert.deepEqual(live?.message.parts, [
      { type: 'reasoning', text: 'hm' },
      { type: 'text', text: 'first half, ' },
    ]);
    gate.open();
    await late.untilStatus('idle');
    assert.equal(late.streamed(live?.message.id ?? '', 1, live?.offsets[1]), 'second half');
  });

  test('N2: the output of a command is shown at another node, also to whoever attaches while it runs', async () => {
    const session = await SessionView.create(there);
    const held = await heldCommand(rig.workspace);
    rig.model.script([held.step], says('done'));
    await session.say('run it');
    const call = await session.untilCall('awaiting_approval');
    await session.decide(call, 'approve');
    await session.untilDelta('tool_output', 'up\n');
    const late = await SessionView.attach(await other.connect(), session.id);
    assert.deepEqual(late.attached.outputs, [{ callId: call.id, offset: 0, text: 'up\n' }]);
    await held.letEnd('42 files');
    await session.untilStatus('idle');
    assert.equal(session.streamed(call.id, 0), 'up\n42 files\n');
    assert.equal(resultText(await session.untilCallIs(call.id, 'succeeded')), 'up\n42 files\n');
    assert.equal(held.starts(), 1);
  });
});

describe('reins held at another node', () => {
  test('N3: an approval given at one node starts the command on the machine of another, once', async () => {
    const { atFirst, atOther } = await openAtBoth();
    const held = await heldCommand(rig.workspace);
    rig.model.script([held.step], says('done'));
    await atFirst.say('run it');
    const call = await atOther.untilCall('awaiting_approval');
    await atOther.decide(call, 'approve');
    await atFirst.untilDelta('tool_output', 'up\n');
    await held.letEnd('x');
    await atOther.untilStatus('idle');
    assert.equal(atOther.answer, 'done');
    assert.equal(held.starts(), 1);
  });

  test('N4: a stop at one node ends the stream of another, and no token follows', async () => {
    const { atFirst, atOther } = await openAtBoth();
    const before = rig.model.requests.length;
    rig.model.script([...says('first half'), { do: 'hang' }]);
    await atFirst.say('tell me a long story');
    await atOther.untilDelta('text', 'first half');
    const request = await rig.modelRequest(before);
    assert.deepEqual(await there.ask('agent:stop', { sessionId: atOther.id }), { stopped: true });
    assert.equal(await request.closed, 'abandoned');
    await atFirst.untilStatus('idle');
    const heard = atFirst.deltas.length;
    await here.ask('session:list', {});
    assert.equal(atFirst.deltas.length, heard);
    await atOther.untilSeq(atFirst.session.seq);
    assert.deepEqual(atFirst.messages, atOther.messages);
    rig.model.script(says('going on'));
    await atOther.say('go on');
    await here.until('the next answer', () => atFirst.answer === 'going on');
  });

  test('N4: a stop at one node ends the processes that run on the machine of another', async () => {
    const { atFirst, atOther } = await openAtBoth();
    const held = await heldCommand(rig.workspace);
    rig.model.script([held.step]);
    await atOther.say('run it');
    const call = await atOther.untilCall('awaiting_approval');
    await atOther.decide(call, 'approve');
    await atFirst.untilDelta('tool_output', 'up\n');
    const pids = await held.pids();
    await there.ask('agent:stop', { sessionId: atOther.id });
    await atOther.untilCallIs(call.id, 'cancelled');
    await untilEnded(pids);
    assert.equal(pids.some(isRunning), false);
    await atFirst.untilStatus('idle');
  });

  test('N4: an interrupting message at one node ends the turn of another and is answered', async () => {
    const { atFirst, atOther } = await openAtBoth();
    rig.model.script([...says('first half'), { do: 'hang' }]);
    await atFirst.say('tell me a long story');
    await atOther.untilDelta('text', 'first half');
    rig.model.script(says('as you wish'));
    await atOther.say('do this', { mode: 'interrupt' });
    await here.until('its answer', () => atFirst.answer === 'as you wish');
  });
});

test('N9: an outcome that was settled at one node is in what the model is told by another', async () => {
  await using own = await nodeRig({ hasGateway: false });
  await using home = await temporaryFolder();
  const command = {
    args: ['gateway', '--server', own.url, '--workspace', own.workspace],
    env: { TENDON_HOME: home.path, TENDON_API_KEY: own.key },
    scratch: home.path,
  };
  const killed = await startTendon(command);
  const second = await own.startNode();
  const session = await own.open();
  const held = await heldCommand(own.workspace);
  own.model.script([held.step], says('I do not know.'));
  await session.say('run it');
  const call = await session.untilCall('awaiting_approval');
  await session.decide(call, 'approve');
  await session.untilDelta('tool_output', 'up\n');
  await killed.end('SIGKILL');
  await using _back = await startTendon(command);
  await session.untilCallIs(call.id, 'unknown');
  await session.untilStatus('idle');
  const elsewhere = await second.connect();
  await elsewhere.ask('tool:resolve', { sessionId: session.id, callId: call.id, outcome: 'done', note: 'the files are all there' });
  const before = own.model.requests.length;
  own.model.script(says('Good.'));
  await session.say('go on');
  const request = await own.modelRequest(before);
  assert.match(JSON.stringify(request.messages), /the files are all there/);
});

describe('machines and credentials', () => {
  const presence = (socket: AgentSocket, from: number, isOnline: boolean) =>
    socket.until(`a machine that is ${isOnline ? 'online' : 'offline'}`, () =>
      socket.received.slice(from).some((entry) => entry.name === 'gateway:presence' && entry.notice.gateway.online === isOnline),
    );
  const isOnlineAt = async (socket: AgentSocket) => (await socket.ask('gateway:list', {})).gateways.find((gateway) => gateway.name === hostname())?.online;

  test('N5: a machine is online at every node, whichever holds it, and its work follows it', async () => {
    assert.equal(await isOnlineAt(there), true);
    const [fromHere, fromThere] = [here.received.length, there.received.length];
    await rig.gateway?.close();
    await presence(there, fromThere, false);
    assert.equal(await isOnlineAt(there), false);
    const moved = await other.startGateway();
    await presence(here, fromHere, true);
    assert.equal(await isOnlineAt(here), true);
    const { atFirst } = await openAtBoth();
    const held = await heldCommand(rig.workspace);
    rig.model.script([held.step], says('done'));
    await atFirst.say('run it');
    await atFirst.decide(await atFirst.untilCall('awaiting_approval'), 'approve');
    await held.letEnd('x');
    await atFirst.untilStatus('idle');
    assert.equal(held.starts(), 1);
    await moved.close();
  });

  test('N5: of two connections of one machine the one that greeted later counts, at whatever node; the other is cut', async () => {
    const hello = {
      gatewayId: randomUUID(),
      instanceId: randomUUID(),
      name: 'twice connected',
      platform: 'linux',
      version: '1',
      workspaces: [{ path: '/w', name: 'w' }],
      tools: [],
      calls: [],
    };
    const greet = async (url: string): Promise<Socket> => {
      const socket = io(`${url}${GATEWAY_NAMESPACE}`, {
        path: SOCKET_PATH,
        auth: { protocol: PROTOCOL_VERSION, token: rig.key, client: { name: 'test', version: '1' } },
        reconnection: false,
        forceNew: true,
      });
      await once(socket as unknown as EventEmitter, 'connect');
      assert.equal((await socket.emitWithAck('gateway:hello', hello)).ok, true);
      return socket;
    };
    const early = await greet(rig.url);
    const cut = once(early as unknown as EventEmitter, 'disconnect');
    const late = await greet(other.url);
    await cut;
    assert.equal(late.connected, true);
    late.disconnect();
  });

  test('N6, I14: a key that is revoked at one node is cut at another', async () => {
    const made = await rig.server.auth.createKey({ userId: rig.server.ownerId, name: 'short-lived' });
    const socket = await other.connect({ key: made.key });
    const begun = performance.now();
    await rig.server.auth.revokeKey(rig.server.ownerId, made.row.id);
    await socket.ended;
    process.stdout.write(`a key revoked at one node, until its socket at another has ended: ${Math.round(performance.now() - begun)} ms\n`);
    assert.equal(socket.isConnected, false);
  });
});
