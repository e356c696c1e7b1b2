import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { Gateway } from './gateway.ts';
import type { Journal } from './journal/journal.ts';
import { type LinkInput, type LinkState, nextLinkState } from './link/connection.ts';
import type { GatewaySocket, SocketEvents } from './link/gateway-socket.ts';
import { OPEN_POLICY } from './policy/policy.ts';
import { buildRegistry } from './tools/registry.ts';
import { Snapshots } from './undo/snapshots.ts';

/*
 * A gateway from its real parts, with sockets, answers and timers under the test's hand, beside the pure table of connection.ts that is told
 * the same. `ready()` and `close()` are asked for at any moment and as often as the sequence says: each settles exactly once, with what the
 * table says, and not before.
 */

const log = pino({ level: 'silent' });
const registry = buildRegistry();
const journal = {
  instanceId: '0192a7c0-0000-7000-8000-000000000001',
  entries: () => [],
  entry: () => undefined,
  isForgotten: () => false,
  append: async () => ({ ok: true }),
  close: async () => undefined,
} as unknown as Journal;
const snapshots = new Snapshots({ folder: '/nowhere', log, now: () => new Date() });
const workspace = { root: '/work', given: '/work', name: 'work', forbidden: '/home/.tendon', hasProc: false };

type Outcome = 'ready' | 'later' | 'silent' | 'refused';
type Step = number | 'connect' | 'answer' | 'echo' | 'fail' | 'later' | 'refuse' | 'ready' | 'close';

const REFUSED = { code: 'not_found', message: 'not your machine' } as const;
const UNAUTHORIZED = { code: 'unauthorized', message: 'sign in' } as const;

/** What the server says to a greeting. */
function answerOf(outcome: Outcome): Promise<unknown> {
  if (outcome === 'silent') return Promise.reject(new Error('no answer'));
  if (outcome === 'ready') return Promise.resolve({ ok: true, data: { send: [], cancel: [], forget: [] } });
  if (outcome === 'later') return Promise.resolve({ ok: false, error: { code: 'unavailable', message: 'soon', details: { retryAfterMs: 700 } } });
  return Promise.resolve({ ok: false, error: REFUSED });
}

/** What that is for the link. */
function inputOf(outcome: Outcome, attempt: number): LinkInput {
  if (outcome === 'ready') return { type: 'connected', attempt };
  if (outcome === 'refused') return { type: 'refused', attempt, reason: REFUSED };
  return { type: 'lost', attempt, cause: '', retryAfterMs: outcome === 'later' ? 700 : undefined };
}

/** The table, told what the gateway is told. */
class Model {
  state: LinkState = { kind: 'idle' };
  /** The first state that is neither on its way nor waiting. */
  settled: LinkState | undefined;
  readonly #random: number;
  #dueInMs = 0;

  constructor(random: number) {
    this.#random = random;
    this.take({ type: 'start' });
  }

  take(input: LinkInput): void {
    const before = this.state;
    this.state = nextLinkState(before, input, { nowMs: 0, random: this.#random });
    if (this.state === before) return;
    if (this.state.kind === 'waiting') this.#dueInMs = this.state.delayMs;
    if (this.state.kind !== 'connecting' && this.state.kind !== 'waiting') this.settled ??= this.state;
  }

  advance(ms: number): void {
    this.#dueInMs -= ms;
    if (this.state.kind === 'waiting' && this.#dueInMs <= 0) this.take({ type: 'elapsed', attempt: this.state.attempt });
  }
}

interface OpenedSocket {
  readonly events: SocketEvents;
  isClosed: boolean;
}

function open(random: number, outcomes: Iterator<Outcome>) {
  const sockets: OpenedSocket[] = [];
  const asked: { readonly attempt: number; readonly answer: (outcome: Outcome) => void }[] = [];
  let unlocked = 0;
  const gateway = new Gateway(
    { serverUrl: 'http://127.0.0.1:1', token: 'x', home: '/home', name: 'machine', workspaces: ['/work'], log, version: '1', random: () => random },
    {
      lock: {
        close() {
          unlocked += 1;
        },
      },
      ...{ journal, registry, snapshots, workspaces: [workspace], gatewayId: '0192a7c0-0000-7000-8000-000000000002' },
      policy: { current: async () => ({ ok: true, policy: OPEN_POLICY }) },
      browserFolder: '/nowhere/browser',
      openSocket: (_, events) => {
        const opened: OpenedSocket = { events, isClosed: false };
        const attempt = sockets.push(opened);
        const socket: GatewaySocket = {
          request: () => new Promise((resolve) => void asked.push({ attempt, answer: (outcome) => resolve(answerOf(outcome)) })),
          isWritable: true,
          hint: () => undefined,
          close() {
            opened.isClosed = true;
          },
        };
        return socket;
      },
    },
  );
  return { gateway, sockets, asked, unlocked: () => unlocked, nextOutcome: () => outcomes.next().value as Outcome };
}

/** Everything that has been decided so far has happened. */
const drained = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const told = (state: LinkState): object => ('sinceMs' in state ? { ...state, sinceMs: 0 } : state);

async function play(steps: readonly Step[], random: number, outcomes: Iterator<Outcome>): Promise<void> {
  const model = new Model(random);
  const at = open(random, outcomes);
  const { gateway, sockets, asked } = at;
  const [ready, closed]: [unknown[], unknown[]] = [[], []];
  let [readies, closes] = [0, 0];
  const ask = (): void => {
    readies += 1;
    gateway.ready().then(
      (state) => ready.push(told(state)),
      (error: unknown) => ready.push(error),
    );
  };
  const close = (): void => {
    closes += 1;
    gateway.close().then(
      () => closed.push('closed'),
      (error: unknown) => closed.push(error),
    );
    model.take({ type: 'stop' });
  };
  const steer: Record<Exclude<Step, number>, () => void> = {
    ready: ask,
    close,
    connect: () => sockets.at(-1)?.events.connected(),
    echo: () => sockets[0]?.events.connected(),
    answer() {
      const waiting = asked.shift();
      if (!waiting) return;
      const outcome = at.nextOutcome();
      waiting.answer(outcome);
      model.take(inputOf(outcome, waiting.attempt));
    },
    fail() {
      sockets.at(-1)?.events.ended({ kind: 'lost', cause: 'cut' });
      model.take({ type: 'lost', attempt: sockets.length, cause: '' });
    },
    later() {
      sockets.at(-1)?.events.ended({ kind: 'lost', cause: 'busy', retryAfterMs: 5_000 });
      model.take({ type: 'lost', attempt: sockets.length, cause: '', retryAfterMs: 5_000 });
    },
    refuse() {
      sockets.at(-1)?.events.ended({ kind: 'refused', ...UNAUTHORIZED });
      model.take({ type: 'refused', attempt: sockets.length, reason: UNAUTHORIZED });
    },
  };
  const look = (): void => {
    assert.equal(gateway.state.kind, model.state.kind);
    assert.deepEqual(ready, model.settled === undefined ? [] : Array.from({ length: readies }, () => told(model.settled as LinkState)));
    assert.equal(closed.length, closes);
    assert.ok(closed.every((what) => what === 'closed'));
    assert.equal(at.unlocked(), Math.min(closes, 1), 'it closes once');
  };
  ask();
  for (const step of steps) {
    if (typeof step === 'number') {
      mock.timers.tick(step);
      model.advance(step);
    } else steer[step]();
    await drained();
    look();
  }
  close();
  close();
  ask();
  await drained();
  look();
  const opened = sockets.length;
  mock.timers.tick(24 * 3_600_000);
  await drained();
  assert.deepEqual([sockets.length, sockets.filter(({ isClosed }) => !isClosed).length], [opened, 0], 'something was left behind');
  look();
}

test('G1, G31: 10,000 random sequences: ready() and close() settle exactly once, with what the table says, and not before', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom<Step[]>('connect', 'answer') },
    { weight: 6, arbitrary: fc.constantFrom<Step[]>('echo', 'fail', 'later', 'refuse', 'ready', 'close') },
    { weight: 4, arbitrary: fc.nat(40_000) },
  );
  const outcome = fc.constantFrom<Outcome[]>('ready', 'ready', 'later', 'silent', 'refused');
  const property = fc.asyncProperty(fc.array(step, { maxLength: 20 }), fc.double({ min: 0.01, max: 0.999, noNaN: true }), fc.infiniteStream(outcome), play);
  const { failed, seed, counterexamplePath, counterexample, errorInstance } = await fc.check(property, { numRuns: 10_000 });
  assert.ok(!failed, `seed ${seed}, path ${counterexamplePath}: ${JSON.stringify(counterexample?.slice(0, 2))} ${String(errorInstance)}`);
});
