import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { SessionState, StoredCall } from '../kernel/index.ts';
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts';
import { OutputTails } from './output-tails.ts';
import type { SessionActor } from './session-actor.ts';

const NOW = Date.parse('2026-11-27T12:00:00.000Z');
const HOUR = 3_600_000;

/** How long a stop that is stamped at this moment waits for a machine that is away. */
function waitAfterStopAt(stoppedAt: number): number[] {
  const waits: number[] = [];
  const options: DispatcherOptions = {
    machines: { online: () => undefined, isElsewhere: () => false } as unknown as DispatcherOptions['machines'],
    tails: new OutputTails(),
    log: pino({ level: 'silent' }),
    now: () => new Date(NOW),
    later: (ms) => void waits.push(ms),
    actorOf: () => assert.fail('nothing is given up yet'),
  };
  const call = { id: 'c', sessionId: 's', gatewayId: 'g', state: 'running' };
  const stored = { call, dispatch: { instanceId: 'i' }, cancelRequestedAt: new Date(stoppedAt).toISOString() } as unknown as StoredCall;
  const state = { calls: [stored] } as unknown as SessionState;
  new Dispatcher(options).carryOut({ sessionId: 's' } as SessionActor, state, { type: 'cancel', callId: 'c', gatewayId: 'g' });
  return waits;
}

test('C12: a stop waits 15 s for a machine that is away, whatever the clocks of two nodes say about when it was', () => {
  for (const stoppedAt of [NOW, NOW - 5_000, NOW - HOUR, NOW + HOUR]) assert.deepEqual(waitAfterStopAt(stoppedAt), [15_000]);
});

test('N12: whoever comes second in handing a call over looks at the session again', async () => {
  for (const [outcome, looks] of [
    [{ ok: false, error: { code: 'conflict', message: 'This call is not to be handed over.' } }, 1],
    [{ ok: true }, 0],
    [undefined, 0],
  ] as const) {
    const looked: string[] = [];
    const actor = { sessionId: 's', commitSurely: async () => outcome, poke: async () => void looked.push('s') } as unknown as SessionActor;
    const options = {
      machines: { online: () => ({ stored: { instanceId: 'i' }, sent: new Set(), cancelled: new Set() }) },
      actorOf: () => actor,
    } as unknown as DispatcherOptions;
    const state = { calls: [{ call: { id: 'c', sessionId: 's', gatewayId: 'g', state: 'queued' } }] } as unknown as SessionState;
    new Dispatcher(options).carryOut(actor, state, { type: 'dispatch', callId: 'c', gatewayId: 'g' });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(looked.length, looks);
  }
});
