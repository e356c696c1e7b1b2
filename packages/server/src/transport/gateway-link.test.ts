import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GATEWAY_COMMANDS, type GatewayCommand, validate } from '@tendon/protocol';
import type { Socket } from 'socket.io-client';
import type { GatewayConnection } from '../runner/ports.ts';
import { GatewayCallError } from './gateway-link.ts';
import { CALL, SESSION, TransportRig } from './transport-rig.ts';

const COMMAND: GatewayCommand<'tool:call'> = {
  callId: CALL,
  sessionId: SESSION,
  workspace: '/w',
  tool: 'bash',
  input: { command: 'ls' },
  inputHash: 'h',
  timeoutMs: 1_000,
  grant: { by: 'user', at: '2026-01-01T00:00:00Z' },
};

type Answer = (answer?: unknown) => void;

async function machine(rig: TransportRig): Promise<{ socket: Socket; link: GatewayConnection }> {
  const socket = await rig.connected('/gateway', 'ada');
  await socket.emitWithAck('tool:started', { callId: CALL });
  const link = rig.calls.at(-1)?.connection;
  assert.ok(link && 'connectionId' in link);
  return { socket, link };
}

function isError(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof GatewayCallError && error.reason === reason;
}

test('T17: a call reaches the machine as it was given and its answer comes back', async () => {
  await using rig = await TransportRig.start();
  const { socket, link } = await machine(rig);
  socket.on('tool:call', (command: unknown, answer: Answer) => {
    assert.deepEqual(command, COMMAND);
    assert.ok(validate(GATEWAY_COMMANDS['tool:call'].payload, command).ok);
    answer({ accepted: true });
  });
  socket.on('tool:cancel', (_command: unknown, answer: Answer) => answer({}));
  assert.deepEqual(await link.call(COMMAND, 5_000), { accepted: true });
  await link.cancel(CALL, 5_000);
});

test('T17: answers of a wrong shape, binary or too large count as refusals', async () => {
  await using rig = await TransportRig.start({ limits: { packetBytes: 10_000 } });
  const { socket, link } = await machine(rig);
  const answers = [undefined, null, 'yes', { accepted: 'yes' }, { accepted: false }, Buffer.from('x'), { accepted: true, pad: 'x'.repeat(20_000) }];
  let next = 0;
  socket.on('tool:call', (_command: unknown, answer: Answer) => {
    answer(answers[next]);
    next += 1;
  });
  for (const _ of answers) {
    const answer = await link.call(COMMAND, 5_000);
    assert.equal(answer.accepted, false);
    assert.equal(!answer.accepted && answer.error.code, 'malformed_answer');
  }
});

test('T17: no answer in time rejects, and the late one is ignored', async () => {
  await using rig = await TransportRig.start();
  const { socket, link } = await machine(rig);
  const asked = new Promise<Answer>((resolve) => socket.once('tool:call', (_command: unknown, answer: Answer) => resolve(answer)));
  await assert.rejects(link.call(COMMAND, 20), isError('timeout'));
  (await asked)({ accepted: true });
  await socket.emitWithAck('tool:started', { callId: CALL });
});

test('T17: every waiting call rejects at once when the machine goes, and so does a later one', async () => {
  await using rig = await TransportRig.start();
  const { socket, link } = await machine(rig);
  const calls = [link.call(COMMAND, 60_000), link.cancel(CALL, 60_000)];
  socket.disconnect();
  for (const call of calls) await assert.rejects(call, isError('disconnected'));
  await assert.rejects(link.call(COMMAND, 60_000), isError('disconnected'));
});

test('T18: the end of a machine is reported exactly once, however it ends', async () => {
  const endings: ((socket: Socket, link: GatewayConnection, rig: TransportRig) => unknown)[] = [
    (socket) => socket.disconnect(),
    (socket) => socket.io.engine.close(),
    (_socket, link) => {
      link.disconnect();
      link.disconnect();
    },
    (_socket, _link, rig) => rig.transport.disconnectCredential('key of ada'),
    (_socket, _link, rig) => rig.transport.close(),
  ];
  for (const end of endings) {
    await using rig = await TransportRig.start();
    const { socket, link } = await machine(rig);
    await end(socket, link, rig);
    while (rig.gone.length === 0) await new Promise((done) => setImmediate(done));
    await rig.transport.close();
    await new Promise((done) => setImmediate(done));
    assert.deepEqual(rig.gone, [link]);
  }
});

test('T18: a credential bound to one machine is handed to the handlers', async () => {
  await using rig = await TransportRig.start({ authenticate: async () => ({ ok: true, principal: { userId: 'ada', gatewayId: CALL } }) });
  const { link } = await machine(rig);
  assert.deepEqual({ userId: link.userId, bound: link.boundGatewayId }, { userId: 'ada', bound: CALL });
});
