import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Delta } from '@tendon/protocol';
import { createGate } from '@tendon/testing';
import { pino } from 'pino';
import { v7 } from 'uuid';
import type { SessionState } from '../kernel/index.ts';
import { Neighbours } from '../neighbours/index.ts';
import type { CommitOutcome, SessionStore } from '../store/session-store.ts';
import type { RunnerContext } from './context.ts';
import type { StepSink } from './model/model-port.ts';
import { OutputTails } from './output-tails.ts';
import { hangs } from './runner-rig.ts';
import { NO_SERVER_TOOLS } from './server-tools.ts';
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
    models: { step: hangs, list: async () => [], defaultModel: async () => 'demo', check: () => undefined, warmUp: () => undefined },
    fanout: { toSession: () => undefined, toUser: () => undefined, hasAudience: () => false, people: () => [] },
    log: pino({ level: 'silent' }),
    now: () => new Date(),
    monotonicMs: () => performance.now(),
    newId: v7,
    pokeLater: () => undefined,
    lookAt: () => undefined,
    mcp: NO_SERVER_TOOLS,
    serverCalls: { carryOut: () => undefined, forsake: () => undefined, review: () => undefined },
    actorChanged: () => undefined,
    history: { load: async () => [] } as unknown as RunnerContext['history'],
    machineOf: async () => undefined,
    pause: async () => undefined,
    tails: new OutputTails(),
    neighbours: new Neighbours({ channel: undefined, monotonicMs: () => performance.now() }),
    ...parts,
  };
  return new SessionActor(v7(), context as RunnerContext);
}

test('R14: late news that an older lease is lost leaves the current one and its turn alone', async () => {
  const fenced: CommitOutcome = { ok: false, fenced: true };
  const actor = actorOn({ load: async () => stateWithTurn(2), commit: async () => fenced, savePartial: async () => true });
  const older = { sessionId: actor.sessionId, node: NODE, epoch: 1 };
  const current = { ...older, epoch: 2 };
  await actor.poke({ lease: current, askedAtMs: performance.now() });
  actor.loseLease(older);
  await actor.commit({ type: 'continue' }, { fence: older });
  assert.deepEqual(actor.lease, current);
  assert.equal(actor.isQuiet, false);
  actor.loseLease(current);
  assert.equal(actor.lease, undefined);
  await actor.close();
});

test('R20: text stops leaving when the lease could not be renewed for seven seconds, and goes on when it was', async () => {
  let nowMs = 100_000;
  let sink: StepSink | undefined;
  const texts: string[] = [];
  const actor = actorOn(
    { load: async () => stateWithTurn(2), savePartial: async () => true },
    {
      monotonicMs: () => nowMs,
      models: {
        step: (request, into) => {
          sink = into;
          return hangs(request, into);
        },
        list: async () => [],
        defaultModel: async () => 'demo',
        check: () => undefined,
        warmUp: () => undefined,
      },
      fanout: { toSession: (_id, _name, notice) => texts.push((notice as Delta).text), toUser: () => undefined, hasAudience: () => true, people: () => [] },
    },
  );
  const stream = async (text: string): Promise<void> => {
    sink?.delta(0, text);
    await setImmediate();
  };
  const lease = { sessionId: actor.sessionId, node: NODE, epoch: 2 };
  await actor.poke({ lease, askedAtMs: nowMs });
  await setImmediate();
  sink?.partStarted(0, { type: 'text' });
  nowMs += 6_999;
  await stream('one');
  assert.equal(texts.join(''), 'one');
  nowMs += 1;
  await stream(' two');
  assert.equal(texts.join(''), 'one', 'another node may have the session three seconds later');
  actor.keepLease({ ...lease, epoch: 1 }, nowMs);
  await stream(' three');
  assert.equal(texts.join(''), 'one', 'news of an older lease');
  actor.keepLease(lease, nowMs - 1_000);
  assert.equal(texts.join(''), 'one two three');
  actor.loseLease(lease);
  await stream(' four');
  assert.equal(texts.join(''), 'one two three');
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
