import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ToolResult, textResult } from '@tendon/protocol';
import { pino } from 'pino';
import type { GatewaySocket } from './gateway-socket.ts';
import { Outbox } from './outbox.ts';

const OK = { ok: true, data: {} };
const refused = (code: string, details?: unknown) => ({ ok: false, error: { code, message: code, ...(details === undefined ? {} : { details }) } });

function rig(answer: (callId: string, seen: number) => unknown) {
  const sent: { callId: string; result: ToolResult }[] = [];
  const acknowledged: string[] = [];
  const givenUp: string[] = [];
  const socket: GatewaySocket = {
    request: (_name, payload) => {
      const packet = payload as { callId: string; result: ToolResult };
      sent.push(packet);
      const value = answer(packet.callId, sent.filter((one) => one.callId === packet.callId).length);
      return value instanceof Error ? Promise.reject(value) : Promise.resolve(value);
    },
    isWritable: true,
    hint: () => undefined,
    close: () => undefined,
  };
  const state: { socket: GatewaySocket | undefined } = { socket };
  const outbox = new Outbox({
    online: () => state.socket,
    giveUp: (cause) => givenUp.push(cause),
    acknowledged: (callId) => acknowledged.push(callId),
    log: pino({ level: 'silent' }),
    random: () => 0,
  });
  return { outbox, sent, acknowledged, givenUp, state, socket };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('G7: a result waits for the connection and is gone when acknowledged', async () => {
  const { outbox, sent, acknowledged, state, socket } = rig(() => OK);
  state.socket = undefined;
  outbox.add('a', textResult('succeeded', 'x'));
  await turn();
  assert.equal(sent.length, 0);
  state.socket = socket;
  outbox.restart();
  await outbox.flushed(5_000);
  assert.deepEqual(acknowledged, ['a']);
  assert.equal(outbox.size, 0);
});

test('G7: what was under way when the connection went is sent again', async () => {
  const { outbox, sent, acknowledged, givenUp } = rig((_, seen) => (seen === 1 ? new Error('operation has timed out') : OK));
  outbox.add('a', textResult('succeeded', 'x'));
  await turn();
  assert.equal(givenUp.length, 1);
  assert.equal(outbox.size, 1);
  outbox.restart();
  await outbox.flushed(5_000);
  assert.deepEqual([sent.length, acknowledged], [2, ['a']]);
});

test('G7: a passing refusal is tried again after the wait the server names', async () => {
  const { outbox, sent, acknowledged } = rig((_, seen) => (seen === 1 ? refused('rate_limited', { retryAfterMs: 5 }) : OK));
  outbox.add('a', textResult('succeeded', 'x'));
  await outbox.flushed(5_000);
  assert.deepEqual([sent.length, acknowledged], [2, ['a']]);
});

test('G7: a result refused for good is replaced once, then let go', async () => {
  const { outbox, sent, acknowledged } = rig(() => refused('invalid_payload'));
  outbox.add('a', textResult('succeeded', 'x'));
  await outbox.flushed(5_000);
  assert.deepEqual(
    sent.map(({ result }) => result.error?.code),
    [undefined, 'result_refused'],
  );
  assert.deepEqual(acknowledged, ['a']);
});

test('G7: one result that waits does not hold the others back', async () => {
  const { outbox, acknowledged } = rig((callId) => (callId === 'slow' ? refused('unavailable', { retryAfterMs: 60_000 }) : OK));
  outbox.add('slow', textResult('succeeded', 'x'));
  for (let index = 0; index < 50; index += 1) outbox.add(`call ${index}`, textResult('succeeded', 'x'));
  while (outbox.size > 1) await turn();
  assert.equal(acknowledged.length, 50);
  outbox.close();
  outbox.close();
});

test('G7: a result whose acknowledgement never comes is sent again on the next connection, and counted once', async () => {
  const first: { answer?: (value: unknown) => void } = {};
  const { outbox, sent, acknowledged } = rig((_, seen) =>
    seen === 1
      ? new Promise((resolve) => {
          first.answer = resolve;
        })
      : OK,
  );
  outbox.add('a', textResult('succeeded', 'x'));
  outbox.add('a', textResult('succeeded', 'x'));
  assert.equal(sent.length, 1);
  outbox.restart();
  await outbox.flushed(5_000);
  first.answer?.(OK);
  await turn();
  assert.deepEqual([sent.length, acknowledged], [2, ['a']]);
});
