import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Later, type PlaceLimits, Places, type Seat } from './places.ts';

const LIMITS: PlaceLimits = { ofHousehold: 2, ofAll: 100, waitingOfHousehold: 10, waitingOfAll: 100, waitMs: 1_000 };

/** Places whose clock is moved by hand. */
function placesRig(limits: Partial<PlaceLimits> = {}) {
  const timers = new Set<() => void>();
  const later: Later = (_ms, work) => {
    const timer = (): void => {
      timers.delete(timer);
      work();
    };
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  const places = new Places({ ...LIMITS, ...limits }, later);
  const seats = new Map<string, Seat>();
  const connections = new Map<string, object>();
  const asked: Promise<void>[] = [];
  return {
    places,
    timers,
    /** `name`: its household, its connection, its number. */
    take(name: string): void {
      const [household = '', connection = ''] = name.split(' ');
      const key = `${household} ${connection}`;
      if (!connections.has(key)) connections.set(key, {});
      const taking = places.take({ household, connection: connections.get(key) as object });
      asked.push(taking.then((seat) => void seats.set(name, seat)));
    },
    leave: (name: string): void => {
      const seat = seats.get(name);
      if (seat?.ok) seat.leave();
    },
    pass: (): void => {
      for (const timer of [...timers]) timer();
    },
    /** Who has a place or had one, in the order in which they came to it. */
    in: async (): Promise<string[]> => {
      await settled();
      return [...seats].filter(([, seat]) => seat.ok).map(([name]) => name);
    },
    refused: async (): Promise<[string, string][]> => {
      await settled();
      return [...seats].flatMap(([name, seat]): [string, string][] => (seat.ok ? [] : [[name, seat.crowd]]));
    },
    seats,
    asked,
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('H32: a household has no more than its places, and keeps nobody else from theirs', async () => {
  const rig = placesRig();
  for (const name of ['ada 1 a', 'ada 1 b', 'ada 1 c', 'ada 2 d', 'bob 1 a']) rig.take(name);
  assert.deepEqual(await rig.in(), ['ada 1 a', 'ada 1 b', 'bob 1 a']);
  rig.leave('ada 1 a');
  rig.leave('ada 1 a');
  assert.deepEqual((await rig.in()).slice(3), ['ada 1 c'], 'a place is given back once');
  rig.leave('bob 1 a');
  assert.deepEqual((await rig.in()).slice(4), [], 'the place of another is none of theirs');
  rig.leave('ada 1 b');
  assert.deepEqual((await rig.in()).slice(4), ['ada 2 d']);
});

test('H32: when all places are taken, households have those that come free in turn, and each connection its own in order', async () => {
  const rig = placesRig({ ofAll: 3, ofHousehold: 24 });
  for (const name of ['ada 1 a', 'ada 1 b', 'bob 1 a', 'ada 1 c', 'ada 1 d', 'ada 2 a', 'bob 1 b', 'eve 1 a']) rig.take(name);
  const before = await rig.in();
  for (const name of before) rig.leave(name);
  const next = (await rig.in()).slice(before.length);
  assert.deepEqual(next, ['ada 1 c', 'bob 1 b', 'eve 1 a']);
  for (const name of next) rig.leave(name);
  assert.deepEqual((await rig.in()).slice(6), ['ada 2 a', 'ada 1 d']);
});

test('H32: while more than half of all places are taken, a household has an eighth of its own and somebody else still has one', async () => {
  const rig = placesRig({ ofAll: 32, ofHousehold: 16 });
  for (const household of ['ada', 'bob', 'eve', 'fay']) for (let number = 0; number < 16; number += 1) rig.take(`${household} 1 ${number}`);
  const of = async (name: string) => (await rig.in()).filter((who) => who.startsWith(name)).length;
  assert.deepEqual([await of('ada'), await of('bob'), await of('eve'), await of('fay')], [16, 2, 2, 2]);
  rig.take('gus 1 a');
  assert.equal(await of('gus'), 1);
});

test('H32: who has waited for too long is refused, and so is the newest of the longest line when too many wait', async () => {
  const rig = placesRig({ ofHousehold: 1, waitingOfHousehold: 3 });
  for (const name of ['ada 1 a', 'ada 1 b', 'ada 1 c', 'ada 1 d', 'ada 2 a']) rig.take(name);
  assert.deepEqual(await rig.refused(), [['ada 1 d', 'household']]);
  rig.pass();
  assert.deepEqual((await rig.refused()).slice(1), ['b', 'c'].map((name) => [`ada 1 ${name}`, 'household']).concat([['ada 2 a', 'household']]));
  assert.deepEqual([rig.places.waiting, rig.places.underWay, rig.timers.size], [0, 1, 0]);
  rig.leave('ada 1 a');
  assert.equal(rig.places.underWay, 0);
});

test('H32: beyond what may wait in all, whoever has most waiting is refused', async () => {
  const rig = placesRig({ ofAll: 1, waitingOfAll: 3 });
  for (const name of ['ada 1 a', 'ada 1 b', 'ada 1 c', 'bob 1 a', 'eve 1 a']) rig.take(name);
  assert.deepEqual(await rig.refused(), [['ada 1 c', 'all']]);
});

test('H32: whatever comes and goes, no bound is passed, nobody is forgotten and no place is lost', async () => {
  const names = fc.constantFrom('ada 1', 'ada 2', 'bob 1', 'eve 1', 'fay 1');
  const move = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('take' as const), name: names }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), number: fc.nat(200) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 80 }), async (moves) => {
      const rig = placesRig({ ofAll: 5, ofHousehold: 3, waitingOfHousehold: 4, waitingOfAll: 8 });
      const left = new Set<string>();
      for (const [at, step] of moves.entries()) {
        if (step.kind === 'take') rig.take(`${step.name} ${at}`);
        else if (step.kind === 'pass') rig.pass();
        else {
          const inside = (await rig.in()).filter((name) => !left.has(name));
          const name = inside[step.number % Math.max(1, inside.length)];
          if (name !== undefined) {
            rig.leave(name);
            left.add(name);
          }
        }
        const inside = (await rig.in()).filter((name) => !left.has(name));
        assert.equal(rig.places.underWay, inside.length);
        assert.ok(inside.length <= 5 && rig.places.waiting <= 8 && rig.timers.size === rig.places.waiting);
        for (const household of ['ada', 'bob']) assert.ok(inside.filter((name) => name.startsWith(household)).length <= 3);
      }
      while (rig.places.underWay > 0 || rig.places.waiting > 0) for (const name of await rig.in()) rig.leave(name);
      await Promise.all(rig.asked);
      assert.deepEqual([rig.places.underWay, rig.places.waiting, rig.timers.size], [0, 0, 0]);
    }),
    { numRuns: 200 },
  );
});
