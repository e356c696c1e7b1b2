import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BACKOFF, type LinkInput, type LinkState, nextLinkState, retryDelayMs } from './connection.ts';

const around = { nowMs: 100_000, random: 0.5 };
const reason = { code: 'unauthorized', message: 'no' } as const;
const idle: LinkState = { kind: 'idle' };
const connecting: LinkState = { kind: 'connecting', attempt: 3, failures: 2 };
const online: LinkState = { kind: 'online', attempt: 3, failures: 2, sinceMs: 99_000 };
const waiting: LinkState = { kind: 'waiting', attempt: 3, failures: 2, delayMs: 10, nextTryAtMs: 100_010, cause: 'x' };
const failed: LinkState = { kind: 'failed', attempt: 3, reason };

const inputs = {
  start: { type: 'start' },
  connected: { type: 'connected', attempt: 3 },
  lost: { type: 'lost', attempt: 3, cause: 'cut' },
  refused: { type: 'refused', attempt: 3, reason },
  elapsed: { type: 'elapsed', attempt: 3 },
  stop: { type: 'stop' },
} as const satisfies Record<string, LinkInput>;

type Row = Record<keyof typeof inputs, LinkState['kind'] | 'same'>;
const TABLE: [LinkState, Row][] = [
  [idle, { start: 'connecting', connected: 'same', lost: 'same', refused: 'same', elapsed: 'same', stop: 'same' }],
  [connecting, { start: 'same', connected: 'online', lost: 'waiting', refused: 'failed', elapsed: 'same', stop: 'idle' }],
  [online, { start: 'same', connected: 'same', lost: 'waiting', refused: 'failed', elapsed: 'same', stop: 'idle' }],
  [waiting, { start: 'same', connected: 'same', lost: 'same', refused: 'same', elapsed: 'connecting', stop: 'idle' }],
  [failed, { start: 'same', connected: 'same', lost: 'same', refused: 'same', elapsed: 'same', stop: 'idle' }],
];

for (const [state, row] of TABLE) {
  for (const [name, expected] of Object.entries(row)) {
    test(`G1: ${state.kind} and ${name} gives ${expected}`, () => {
      const next = nextLinkState(state, inputs[name as keyof Row], around);
      if (expected === 'same') assert.equal(next, state);
      else assert.equal(next.kind, expected);
    });
  }
}

test('G1: what an earlier try still says is ignored', () => {
  for (const state of [connecting, online, waiting]) {
    for (const input of [inputs.connected, inputs.lost, inputs.refused, inputs.elapsed])
      assert.equal(nextLinkState(state, { ...input, attempt: 2 }, around), state);
  }
});

test('G2: the bound doubles from 0.5 s to 30 s, and the wait lies anywhere below it', () => {
  const bounds = [1, 2, 3, 4, 5, 6, 7, 8, 1_000].map((failures) => retryDelayMs(failures, 1));
  assert.deepEqual(bounds, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  assert.equal(retryDelayMs(7, 0), 0);
});

test('G2: what the server asks to wait is waited in full, up to five minutes', () => {
  assert.equal(retryDelayMs(1, 0, 7_000), 7_000);
  assert.equal(retryDelayMs(1, 1, 7_000), 7_500);
  assert.equal(retryDelayMs(1, 0, 1e12), BACKOFF.retryAfterCapMs);
});

test('G2: failures count on until a connection has held for 60 s', () => {
  const lost = (heldMs: number): LinkState => nextLinkState({ ...online, sinceMs: around.nowMs - heldMs }, inputs.lost, around);
  assert.equal((lost(59_999) as { failures: number }).failures, 3);
  assert.equal((lost(60_000) as { failures: number }).failures, 1);
});

test('G1: in random sequences a socket is due exactly in connecting and online, and waits keep their bounds', () => {
  const input = fc.oneof(
    fc.constantFrom<LinkInput>({ type: 'start' }, { type: 'stop' }),
    fc.record({ type: fc.constantFrom('connected', 'elapsed'), attempt: fc.integer({ min: 0, max: 6 }) }) as fc.Arbitrary<LinkInput>,
    fc.record({
      type: fc.constant('lost'),
      attempt: fc.integer({ min: 0, max: 6 }),
      cause: fc.constant('x'),
      retryAfterMs: fc.option(fc.nat(400_000), { nil: undefined }),
    }) as fc.Arbitrary<LinkInput>,
    fc.record({ type: fc.constant('refused'), attempt: fc.integer({ min: 0, max: 6 }), reason: fc.constant(reason) }) as fc.Arbitrary<LinkInput>,
  );
  const details = fc.check(
    fc.property(fc.array(fc.tuple(input, fc.nat(100_000), fc.double({ min: 0, max: 0.999, noNaN: true })), { maxLength: 60 }), (steps) => {
      let state: LinkState = idle;
      let nowMs = 0;
      for (const [step, elapsedMs, random] of steps) {
        nowMs += elapsedMs;
        const next: LinkState = nextLinkState(state, step, { nowMs, random });
        if (next.kind === 'waiting' && next !== state) {
          assert.ok(state.kind === 'connecting' || state.kind === 'online');
          assert.ok(next.delayMs >= 0 && next.delayMs <= BACKOFF.capMs + BACKOFF.retryAfterCapMs);
          assert.equal(next.nextTryAtMs, nowMs + next.delayMs);
        }
        if (state.kind === 'failed' && next !== state) assert.equal(next.kind, 'idle');
        state = next;
      }
    }),
    { numRuns: 3_000 },
  );
  assert.ok(!details.failed, `seed ${details.seed}: ${String(details.counterexample)}`);
});
