import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { BACKOFF, type LinkState } from './connection.ts';
import type { GatewaySocket, OpenSocket, SocketEvents } from './gateway-socket.ts';
import { type Greeting, LinkSupervisor } from './supervisor.ts';

interface FakeSocket {
  readonly events: SocketEvents;
  isClosed: boolean;
}

/** Sockets that do what the test says, and every timer under the test's hand. */
function rig(greeting: () => Greeting = () => ({ kind: 'ready' }), random: () => number = () => 0.5) {
  const sockets: FakeSocket[] = [];
  let nowMs = 0;
  const openSocket: OpenSocket = (_, events) => {
    const fake: FakeSocket = { events, isClosed: false };
    sockets.push(fake);
    const socket: GatewaySocket = {
      request: () => Promise.reject(new Error('not used')),
      isWritable: true,
      hint: () => undefined,
      close: () => Object.assign(fake, { isClosed: true }),
    };
    return socket;
  };
  const link = new LinkSupervisor({
    socket: { serverUrl: 'http://127.0.0.1', token: 't', version: '0' },
    openSocket,
    greet: () => Promise.resolve(greeting()),
    command: () => undefined,
    log: pino({ level: 'silent' }),
    nowMs: () => nowMs,
    random,
  });
  const advance = (ms: number): void => {
    nowMs += ms;
    mock.timers.tick(ms);
  };
  return { link, sockets, advance, live: () => sockets.filter((socket) => !socket.isClosed) };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('G1: 10,000 random sequences: never two sockets, outcomes in order, nothing left after a stop', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const step = fc.oneof(fc.constantFrom('connect', 'fail', 'drop', 'refuse', 'retryLater', 'start', 'stop', 'giveUp', 'echo'), fc.nat(40_000));
  const outcome = fc.constantFrom<Greeting>(
    { kind: 'ready' },
    { kind: 'ready' },
    { kind: 'retry', cause: 'busy' },
    { kind: 'refused', reason: { code: 'not_found', message: 'no' } },
  );
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 25 }),
    fc.infiniteStream(outcome),
    fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
    async (steps, greetings, randoms) => {
      const { link, sockets, advance, live } = rig(
        () => greetings.next().value,
        () => randoms.next().value,
      );
      const states: LinkState[] = [];
      link.subscribe((state) => {
        states.push(state);
        assert.ok(live().length <= 1, 'two sockets live');
        assert.equal(live().length, state.kind === 'connecting' || state.kind === 'online' ? 1 : 0);
        if (state.kind === 'waiting') assert.ok(state.delayMs <= BACKOFF.capMs + 5_000);
      });
      link.start();
      for (const what of steps) {
        const last = sockets.at(-1);
        if (typeof what === 'number') advance(what);
        else if (what === 'connect') last?.events.connected();
        else if (what === 'fail' || what === 'drop') last?.events.ended({ kind: 'lost', cause: what });
        else if (what === 'retryLater') last?.events.ended({ kind: 'lost', cause: what, retryAfterMs: 5_000 });
        else if (what === 'refuse') last?.events.ended({ kind: 'refused', code: 'unauthorized', message: 'no' });
        else if (what === 'echo') sockets[0]?.events.connected();
        else if (what === 'giveUp') link.giveUp('silence');
        else link[what]();
        await Promise.resolve();
        await Promise.resolve();
        await Promise.resolve();
      }
      link.stop();
      link.stop();
      const opened = sockets.length;
      const told = states.length;
      advance(24 * 3_600_000);
      assert.equal(live().length, 0);
      assert.equal(sockets.length, opened, 'a timer was left behind');
      assert.equal(states.length, told);
      assert.equal(link.state.kind, 'idle');
    },
  );
  const details = await fc.check(property, { numRuns: 10_000 });
  assert.ok(
    !details.failed,
    `seed ${details.seed}, path ${details.counterexamplePath}: ${JSON.stringify(details.counterexample?.[0])} ${String(details.errorInstance)}`,
  );
});

test('G3: a terminal refusal ends it, a transport failure does not', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { link, sockets, advance } = rig();
  link.start();
  sockets[0]?.events.ended({ kind: 'lost', cause: 'xhr poll error' });
  assert.equal(link.state.kind, 'waiting');
  advance(30_000);
  assert.equal(link.state.kind, 'connecting');
  sockets[1]?.events.ended({ kind: 'refused', code: 'unauthorized', message: 'sign in' });
  assert.deepEqual(link.state, { kind: 'failed', attempt: 2, reason: { code: 'unauthorized', message: 'sign in' } });
  advance(3_600_000);
  assert.equal(sockets.length, 2);
});

test('G6: the link is online only when the greeting is answered', async () => {
  const { link, sockets } = rig();
  link.start();
  sockets[0]?.events.connected();
  assert.equal(link.state.kind, 'connecting');
  await settled();
  assert.equal(link.state.kind, 'online');
  link.stop();
});

test('G1: a stop while it waits leaves no timer behind', () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const { link, sockets } = rig();
  link.start();
  for (let round = 0; round < 3; round += 1) sockets[0]?.events.ended({ kind: 'lost', cause: 'x', retryAfterMs: 60_000 });
  assert.equal(timers(), before + 1);
  link.stop();
  assert.equal(timers(), before);
});

for (const awayMs of [1_000, 5_000, 30_000]) {
  test(`G2: 500 gateways whose server is away for ${awayMs / 1_000} s come back spread out, all of them within a minute`, async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    let seed = awayMs;
    const random = (): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed / 2 ** 32;
    };
    const rigs = Array.from({ length: 500 }, () => rig(undefined, random));
    for (const { link, sockets } of rigs) {
      link.start();
      sockets[0]?.events.connected();
    }
    await settled();
    for (const { sockets } of rigs) sockets[0]?.events.ended({ kind: 'lost', cause: 'cut' });
    const backAt: number[] = [];
    const STEP_MS = 50;
    for (let atMs = 0; atMs <= awayMs + 60_000 && backAt.length < rigs.length; atMs += STEP_MS) {
      mock.timers.tick(STEP_MS);
      for (const { link, live } of rigs) {
        if (link.state.kind !== 'connecting') continue;
        if (atMs < awayMs) live()[0]?.events.ended({ kind: 'lost', cause: 'refused' });
        else backAt.push(atMs - awayMs) && live()[0]?.events.connected();
      }
      await settled();
    }
    assert.equal(backAt.length, rigs.length);
    assert.ok((backAt.at(-1) ?? 0) <= 60_000, `the last one came after ${backAt.at(-1)} ms`);
    const atOnce = Math.max(...[...Map.groupBy(backAt, (ms) => ms).values()].map(({ length }) => length));
    t.diagnostic(`at most ${atOnce} within ${STEP_MS} ms, the last one after ${backAt.at(-1)} ms`);
    assert.ok(atOnce <= 60, `${atOnce} of them came within ${STEP_MS} ms`);
    for (const { link } of rigs) link.stop();
  });
}
