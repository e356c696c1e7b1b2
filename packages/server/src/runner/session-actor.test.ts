import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGate } from '@tendon/testing';
import { pino } from 'pino';
import { v7 } from 'uuid';
import type { SessionState } from '../kernel/index.ts';
import type { CommitOutcome, SessionStore } from '../store/session-store.ts';
import type { RunnerContext } from './context.ts';
import { hangs } from './runner-rig.ts';
import { SessionActor } from './session-actor.ts';

const NODE = 'node-a';

function stateWithTurn(epoch: number): SessionState {
  const at = '2026-11-22T12:00:00.000Z';
  const fixed = { archived: false, seq: 3, stopGeneration: 0, held: false, steps: 1, usage: { inputTokens: 0, outputTokens: 0 }, calls: [], queue: [] };
  return {
    id: v7(),
    ownerId: v7(),
    title: 'A title',
    model: 'demo',
    createdAt: at,
    updatedAt: at,
    ...fixed,
    turn: { messageId: v7(), epoch, startedAt: at, partial: [] },
  };
}

/** An actor whose store is what the test says, and whose model never answers. */
function actorOn(store: Partial<SessionStore>, parts: Partial<RunnerContext> = {}): SessionActor {
  const context: Partial<RunnerContext> = {
    node: NODE,
    store: store as SessionStore,
    models: { step: hangs, list: () => [], defaultModel: async () => 'demo', check: () => undefined, warmUp: () => undefined },
    fanout: { toSession: () => undefined, toUser: () => undefined, hasAudience: () => false },
    log: pino({ level: 'silent' }),
    now: () => new Date(),
    newId: v7,
    pokeLater: () => undefined,
    actorChanged: () => undefined,
    history: { load: async () => [] } as unknown as RunnerContext['history'],
    machineOf: async () => undefined,
    pause: async () => undefined,
    tails: { close: () => undefined },
    ...parts,
  };
  return new SessionActor(v7(), context as RunnerContext);
}

test('R14: late news that an older lease is lost leaves the current one and its turn alone', async () => {
  const fenced: CommitOutcome = { ok: false, fenced: true };
  const actor = actorOn({ load: async () => stateWithTurn(2), commit: async () => fenced, savePartial: async () => true });
  const older = { sessionId: actor.sessionId, node: NODE, epoch: 1 };
  const current = { ...older, epoch: 2 };
  await actor.poke(current);
  actor.loseLease(older);
  await actor.commit({ type: 'continue' }, { fence: older });
  assert.deepEqual(actor.lease, current);
  assert.equal(actor.isQuiet, false);
  actor.loseLease(current);
  assert.equal(actor.lease, undefined);
  await actor.close();
});

test('R14: an actor stays the one of its session between two tries of a commit', async () => {
  const gate = createGate();
  let attempts = 0;
  const refused: CommitOutcome = { ok: false, error: { code: 'conflict', message: 'over' } };
  const commit = async (): Promise<CommitOutcome> => {
    attempts += 1;
    if (attempts === 1) throw new Error('the database is away');
    return refused;
  };
  const dropped: SessionActor[] = [];
  const actor = actorOn(
    { commit, load: async () => undefined },
    { pause: () => gate.pass(), actorChanged: (changed) => void (changed.isQuiet && dropped.push(changed)) },
  );
  const sure = actor.commitSurely({ type: 'continue' }, {});
  await gate.reached;
  await actor.poke();
  assert.deepEqual(dropped, []);
  gate.open();
  await sure;
  await actor.poke();
  assert.equal(actor.isQuiet, true);
  assert.ok(dropped.length > 0, 'and is let go afterwards');
  await actor.close();
});
