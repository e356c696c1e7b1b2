import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { SOCKET_TOKEN_LIFETIME_MS, SocketTokens } from './socket-tokens.ts';

const [MINE, THEIRS] = [
  { endsAt: 1_000_000_000, pageKeyHash: 'mine' },
  { endsAt: 1_000_000_000, pageKeyHash: 'theirs' },
];
let now = 0;
let tokens = new SocketTokens(() => now);
beforeEach(() => {
  now = 1_000;
  tokens = new SocketTokens(() => now);
});

const isThere = (token: string): boolean => tokens.take(token, MINE) !== undefined;

describe('what becomes of a token', () => {
  test('L9: made, it is taken by its own sign-in and by no other, which does not use it up', () => {
    const token = tokens.create(MINE);
    assert.match(token, /^trs_[\w-]{43}$/);
    assert.notEqual(token, tokens.create(MINE));
    assert.equal(tokens.take(token, THEIRS), undefined);
    for (const wrong of ['', 'trs_', token.slice(0, -1), `${token}x`]) assert.equal(isThere(wrong), false, wrong);
    assert.equal(isThere(token), true);
  });

  test('L9: taken, nobody else takes it; used, nobody ever; given back, the next one does', () => {
    const token = tokens.create(MINE);
    const first = tokens.take(token, MINE);
    assert.equal(isThere(token), false);
    first?.giveBack();
    const second = tokens.take(token, MINE);
    assert.ok(second);
    second.use();
    assert.equal(isThere(token), false);
    second.giveBack();
    assert.equal(isThere(token), false, 'the page that was let in has left');
  });

  test('L9: who has given it back has no more to do with it', () => {
    const token = tokens.create(MINE);
    const first = tokens.take(token, MINE);
    first?.giveBack();
    const second = tokens.take(token, MINE);
    first?.giveBack();
    first?.use();
    assert.equal(isThere(token), false, 'the second still has it');
    second?.giveBack();
    assert.equal(isThere(token), true);
  });

  for (const [ms, isGood] of [
    [SOCKET_TOKEN_LIFETIME_MS - 1, true],
    [SOCKET_TOKEN_LIFETIME_MS, false],
  ] as const)
    test(`L9: after ${ms} ms it is ${isGood ? 'good' : 'over'}, also when it was taken meanwhile, and though others are made`, () => {
      const [token, tried] = [tokens.create(MINE), tokens.create(MINE)];
      const trying = tokens.take(tried, MINE);
      now += ms;
      tokens.create(MINE);
      trying?.giveBack();
      assert.deepEqual([isThere(token), isThere(tried)], [isGood, isGood]);
    });
});
