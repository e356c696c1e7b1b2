import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { McpPreparation } from '@tendon/mcp';
import { type Call, type ToolResult, textResult } from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';
import { pino } from 'pino';
import type { Input, StoredCall } from '../kernel/index.ts';
import { Neighbours } from '../neighbours/index.ts';
import { OutputTails } from './output-tails.ts';
import { ServerCalls, type ServerEffect } from './server-calls.ts';
import { NO_SERVER_TOOLS } from './server-tools.ts';
import type { SessionActor } from './session-actor.ts';

const NODE = 'this node';
const TOOL = 'server_mcp__docs__search';
const LEASE = { sessionId: 's', node: NODE, epoch: 1 };

type Commit = Extract<Input, { callId: string }>;

interface Rig {
  readonly calls: ServerCalls;
  readonly actor: { mayStream: boolean };
  readonly commits: Commit[];
  readonly poked: string[];
  /** How often the tool has begun. */
  readonly begun: () => number;
  carryOut(type: ServerEffect['type'], instanceId?: string): void;
  /** The next commit that was not asked about yet. */
  next(): Promise<Commit>;
}

/** Calls of one tool that lasts until it is told to end, without a database. */
function openRig({ tool, words = 'words' }: { tool?: () => McpPreparation; words?: string } = {}): Rig {
  const commits: Commit[] = [];
  const waiting: ((commit: Commit) => void)[] = [];
  const poked: string[] = [];
  let [begun, asked] = [0, 0];
  const lasts = async ({ signal }: { signal: AbortSignal }): Promise<ToolResult> => {
    begun += 1;
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    return textResult('cancelled', (signal.reason as { kind: string }).kind);
  };
  const preparation: McpPreparation = {
    ok: true,
    call: { effect: 'execute', subject: () => ({ written: '', readings: [], commands: [] }), run: lasts },
  };
  const commitSurely = async (input: Commit): Promise<unknown> => {
    commits.push(input);
    waiting.shift()?.(input);
    return { ok: true };
  };
  const actor = { sessionId: 's', mayStream: true, commitSurely, poke: async () => undefined };
  const calls = new ServerCalls({
    node: NODE,
    mcp: { ...NO_SERVER_TOOLS, definitionOf: () => words, prepare: tool ?? (() => preparation) },
    tails: new OutputTails(),
    fanout: { toSession: () => undefined, toUser: () => undefined, hasAudience: () => false, people: () => [] },
    neighbours: new Neighbours({ channel: undefined, monotonicMs: () => 0 }),
    log: pino({ level: 'silent' }),
    actorOf: () => actor as unknown as SessionActor,
    pokeLater: (sessionId) => void poked.push(sessionId),
  });
  const call = { id: 'c', sessionId: 's', tool: TOOL, kind: 'remote', effect: 'execute', input: {}, state: 'running' } as Partial<Call> as Call;
  const hashed: Call = { ...call, definition: 'words', inputHash: inputHash({ tool: TOOL, input: {}, definition: 'words' }) };
  return {
    ...{ calls, actor, commits, poked, begun: () => begun },
    carryOut: (type, instanceId) => {
      const dispatch = instanceId === undefined ? {} : { dispatch: { attempt: 1, instanceId, stopGeneration: 0, at: '' } };
      const stored: StoredCall = { call: hashed, ...dispatch };
      calls.carryOut(actor as unknown as SessionActor, { type, callId: 'c' }, { stored, lease: LEASE });
    },
    next: () => {
      const known = commits[asked];
      asked += 1;
      return known ? Promise.resolve(known) : new Promise((resolve) => waiting.push(resolve));
    },
  };
}

test('E25: a call is handed over first, and begun once however often it is owed', async () => {
  const rig = openRig();
  rig.carryOut('take_server_call');
  assert.deepEqual(await rig.next(), { type: 'dispatch', callId: 'c', instanceId: NODE });
  assert.equal(rig.begun(), 0);
  for (let looks = 0; looks < 3; looks += 1) rig.carryOut('run_server_call', NODE);
  assert.equal(rig.begun(), 1);
  await rig.calls.close();
});

test('E25: what was given to another process is lost, and so is what this one has begun and let go of', async () => {
  const rig = openRig();
  rig.carryOut('run_server_call', 'an earlier process');
  const lost = await rig.next();
  assert.ok(lost.type === 'call_lost' && lost.instanceId === 'an earlier process');
  assert.equal(rig.begun(), 0);

  const other = openRig();
  other.carryOut('run_server_call', NODE);
  other.calls.forsake('s');
  other.carryOut('run_server_call', NODE);
  assert.equal((await other.next()).type, 'call_lost');
  assert.equal(other.begun(), 1);
  await other.calls.close();
  assert.deepEqual(
    other.commits.map(({ type }) => type),
    ['call_lost'],
    'its result is dropped',
  );
});

test('E25: a node that may have slept past its lease begins nothing, and looks again', async () => {
  const rig = openRig();
  rig.actor.mayStream = false;
  rig.carryOut('run_server_call', NODE);
  assert.deepEqual([rig.begun(), rig.poked], [0, ['s']]);
  rig.actor.mayStream = true;
  rig.carryOut('run_server_call', NODE);
  assert.equal(rig.begun(), 1);
  await rig.calls.close();
});

test('E25: what another node has declared over is ended here, and its result dropped', async () => {
  const rig = openRig();
  rig.carryOut('run_server_call', NODE);
  rig.calls.review({ id: 's', calls: [] });
  await rig.calls.close();
  assert.deepEqual(rig.commits, []);
});

test('E26: a stop ends what runs, or what has not begun; the end of the node waits until its calls are stored', async () => {
  const rig = openRig();
  rig.carryOut('end_server_call', NODE);
  const never = await rig.next();
  assert.ok(never.type === 'call_finished' && never.result.status === 'cancelled');
  assert.equal(rig.begun(), 0);

  const stopped = openRig();
  stopped.carryOut('run_server_call', NODE);
  stopped.carryOut('end_server_call', NODE);
  const ended = await stopped.next();
  assert.ok(ended.type === 'call_finished' && ended.result.status === 'cancelled' && ended.instanceId === NODE);

  const closing = openRig();
  closing.carryOut('run_server_call', NODE);
  await closing.calls.close();
  const [last] = closing.commits;
  assert.ok(last?.type === 'call_finished');
  assert.deepEqual(last.result.content, [{ type: 'text', text: 'closing' }]);
  closing.carryOut('take_server_call');
  assert.equal(closing.commits.length, 1, 'nothing is handed over to a node that ends');
});

test('E24: other words than those of the call, a tool that is not there, and one that breaks are told, and nothing runs twice', async () => {
  const resultOf = async (rig: Rig): Promise<ToolResult> => {
    rig.carryOut('run_server_call', NODE);
    const commit = await rig.next();
    assert.ok(commit.type === 'call_finished');
    return commit.result;
  };
  const changed = openRig({ words: 'other words' });
  assert.equal((await resultOf(changed)).error?.code, 'definition_changed');
  assert.equal(changed.begun(), 0);
  const gone = await resultOf(openRig({ tool: () => ({ ok: false, code: 'unknown_tool', message: 'There is none.' }) }));
  assert.equal(gone.error?.message, 'There is none. Nothing was run.');
  const breaks = openRig({
    tool: () => {
      throw new Error('broken');
    },
  });
  assert.equal((await resultOf(breaks)).status, 'unknown');
});
