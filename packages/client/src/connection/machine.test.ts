import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { connectionState, firstStep, type Link, type LinkAction, type LinkInput, STABLE_AFTER_MS, step } from './machine.ts';

const reason = { code: 'unavailable', message: 'gone' };
const unauthorized = { code: 'unauthorized', message: 'no' };

const LINKS = {
  connecting: { kind: 'connecting', attempt: 3, isRenewed: false },
  connectingRenewed: { kind: 'connecting', attempt: 3, isRenewed: true },
  onlineShort: { kind: 'online', attempt: 3, since: 1_000 },
  onlineLong: { kind: 'online', attempt: 3, since: 1_000 - STABLE_AFTER_MS },
  waiting: { kind: 'waiting', attempt: 3, retryAt: 2_000, notBefore: 1_000, reason },
  waitingOnServer: { kind: 'waiting', attempt: 3, retryAt: 9_000, notBefore: 8_000, reason },
  failed: { kind: 'failed', reason: { code: 'forbidden_origin', message: 'no' } },
  failedUnauthorized: { kind: 'failed', reason: unauthorized },
  closed: { kind: 'closed' },
} as const satisfies Record<string, Link>;

const now = 1_000;
const INPUTS = {
  connected: { kind: 'connected', now },
  refusedForNow: { kind: 'refused', now, jitter: 0.5, reason, retryAfterMs: 0, canRenew: true },
  refusedUnauthorized: { kind: 'refused', now, jitter: 0.5, reason: unauthorized, retryAfterMs: 0, canRenew: true },
  refusedForGood: { kind: 'refused', now, jitter: 0.5, reason: { code: 'unsupported_protocol', message: 'no' }, retryAfterMs: 0, canRenew: true },
  dropped: { kind: 'dropped', now, jitter: 0.5, reason },
  timeIsUp: { kind: 'time_is_up' },
  woken: { kind: 'woken', now },
  tryNow: { kind: 'try_now' },
  close: { kind: 'close' },
} as const satisfies Record<string, LinkInput>;

type LinkName = keyof typeof LINKS;
type InputName = keyof typeof INPUTS;

/** Next state and actions in short; what is not named here must change nothing. */
const MOVES: Record<LinkName, Partial<Record<InputName, string>>> = {
  connecting: {
    connected: 'online',
    refusedForNow: 'waiting: hang_up, wait 1000',
    refusedUnauthorized: 'connecting: dial renewed',
    refusedForGood: 'failed: hang_up',
    dropped: 'waiting: hang_up, wait 1000',
    close: 'closed: hang_up',
  },
  connectingRenewed: {
    connected: 'online',
    refusedForNow: 'waiting: hang_up, wait 1000',
    refusedUnauthorized: 'failed: hang_up',
    refusedForGood: 'failed: hang_up',
    dropped: 'waiting: hang_up, wait 1000',
    close: 'closed: hang_up',
  },
  onlineShort: { dropped: 'waiting: hang_up, wait 1000', woken: 'online: probe', tryNow: 'online: probe', close: 'closed: hang_up' },
  onlineLong: { dropped: 'waiting: hang_up, wait 250', woken: 'online: probe', tryNow: 'online: probe', close: 'closed: hang_up' },
  waiting: { timeIsUp: 'connecting: dial', woken: 'connecting: dial', tryNow: 'connecting: dial', close: 'closed: hang_up' },
  waitingOnServer: { timeIsUp: 'connecting: dial', tryNow: 'connecting: dial', close: 'closed: hang_up' },
  failed: { tryNow: 'connecting: dial', close: 'closed: hang_up' },
  failedUnauthorized: { tryNow: 'connecting: dial renewed', close: 'closed: hang_up' },
  closed: {},
};

function inShort(action: LinkAction): string {
  if (action.kind === 'wait') return `wait ${action.delayMs}`;
  return action.kind === 'dial' && action.renewToken ? 'dial renewed' : action.kind;
}

describe('connection machine', () => {
  for (const linkName of Object.keys(LINKS) as LinkName[]) {
    for (const inputName of Object.keys(INPUTS) as InputName[]) {
      it(`K1: ${linkName} on ${inputName}`, () => {
        const { link, actions } = step(LINKS[linkName], INPUTS[inputName]);
        const expected = MOVES[linkName][inputName];
        const actual = actions.length > 0 ? `${link.kind}: ${actions.map(inShort).join(', ')}` : link.kind;
        if (expected === undefined) assert.deepEqual({ link, actions }, { link: LINKS[linkName], actions: [] });
        else assert.equal(actual, expected);
      });
    }
  }

  it('K2: waits grow from 0.5 s to 30 s, spread over their whole length', () => {
    let link: Link = firstStep.link;
    const longest: number[] = [];
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      const next = step(link, { ...INPUTS.refusedForNow, jitter: 1 });
      longest.push(...next.actions.flatMap((action) => (action.kind === 'wait' ? [action.delayMs] : [])));
      link = step(next.link, { kind: 'time_is_up' }).link;
    }
    assert.deepEqual(longest, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
    assert.deepEqual(step(firstStep.link, { ...INPUTS.refusedForNow, jitter: 0 }).actions.at(-1), { kind: 'wait', delayMs: 0 });
  });

  it('K2: a wait that the server asked for is kept, and only a person may cut it short', () => {
    const { link, actions } = step(firstStep.link, { ...INPUTS.refusedForNow, reason: { code: 'shutting_down', message: '' }, retryAfterMs: 7_000, jitter: 0 });
    assert.deepEqual(actions.at(-1), { kind: 'wait', delayMs: 7_000 });
    assert.equal(step(link, { kind: 'woken', now: now + 6_999 }).link.kind, 'waiting');
    assert.equal(step(link, { kind: 'woken', now: now + 7_000 }).link.kind, 'connecting');
    assert.equal(step(link, { kind: 'try_now' }).link.kind, 'connecting');
  });

  it('K1: any sequence of inputs ends the socket it opened, and never dials twice without a hang-up or failure between', () => {
    const inputs = fc.array(fc.constantFrom(...(Object.values(INPUTS) as LinkInput[])), { maxLength: 60 });
    fc.assert(
      fc.property(inputs, (sequence) => {
        let link: Link = firstStep.link;
        let renewals = 0;
        for (const input of sequence) {
          const next = step(link, input);
          const dials = next.actions.filter((action) => action.kind === 'dial');
          assert.equal(dials.length > 0, next.link.kind === 'connecting' && next.link !== link);
          assert.equal(
            next.actions.some((action) => action.kind === 'wait'),
            next.link.kind === 'waiting' && next.link !== link,
          );
          if (link.kind === 'closed') assert.equal(next.link.kind, 'closed');
          if (link.kind === 'failed') assert.ok(next.link === link || input.kind === 'try_now' || input.kind === 'close');
          renewals = dials.some((action) => action.renewToken) && input.kind === 'refused' ? renewals + 1 : next.link.kind === 'connecting' ? renewals : 0;
          assert.ok(renewals <= 1, 'a token is renewed at most once per attempt');
          assert.equal(connectionState(next.link).kind, next.link.kind);
          link = next.link;
        }
      }),
      { seed: 20261122, numRuns: 500 },
    );
  });
});
