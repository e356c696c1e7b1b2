import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@tendon/protocol';
import { pino } from 'pino';
import { BrowserWatches, type BrowserWatchesOptions } from './browser-watches.ts';
import type { AgentConnection } from './ports.ts';

/* Watches beside a database that fails and a clock that is moved by hand; the machine is at another node, so what it is asked is told to a neighbour. */

const OWNER = 'ada';
const GATEWAY = 'machine';
const AT = new Date(0);

interface Person extends AgentConnection {
  readonly shown: string[];
  end(): void;
}

function person(): Person {
  const listeners: (() => void)[] = [];
  const shown: string[] = [];
  return {
    ...{ userId: OWNER, clientName: 'test', shown, joinSession: () => undefined, leaveSession: () => undefined },
    showNewest: (_key, name) => void shown.push(name),
    onEnd: (listener) => void listeners.push(listener),
    end: () => {
      for (const listener of listeners) listener();
    },
  };
}

function watchesRig() {
  const clock = { ms: 0 };
  const database = { isLost: false };
  const asked: { isWatched: boolean; anew: boolean }[] = [];
  const timers: { at: number; work: () => void }[] = [];
  const options = {
    node: 'here',
    store: {
      load: async (id: string) => {
        if (database.isLost) throw new Error('the database is lost');
        return { id, ownerId: OWNER };
      },
    },
    machines: { machineOf: async () => ({ gatewayId: GATEWAY }), online: () => undefined, isElsewhere: () => true },
    neighbours: { tell: (notice: { isWatched: boolean; anew: boolean }) => void asked.push(notice) },
    log: pino({ level: 'silent' }),
    now: () => AT,
    monotonicMs: () => clock.ms,
    later: (ms: number, work: () => void) => void timers.push({ at: clock.ms + ms, work }),
  };
  const watches = new BrowserWatches(options as unknown as BrowserWatchesOptions);
  return {
    ...{ watches, database },
    anew: () => asked.filter(({ anew }) => anew).length,
    isLetGo: () => asked.at(-1)?.isWatched === false,
    show: (sessionId: string, title: string) => {
      const frame = { sessionId, at: AT.toISOString(), url: 'http://localhost/', title, width: 1, height: 1, image: '/9j/' };
      watches.hearView({ kind: 'browser_view', gatewayId: GATEWAY, view: { name: 'browser:frame', notice: frame } });
    },
    pass: async (ms: number) => {
      clock.ms += ms;
      for (const timer of timers.splice(0))
        if (timer.at <= clock.ms) timer.work();
        else timers.push(timer);
      await new Promise((resolve) => setImmediate(resolve));
    },
    [Symbol.dispose]: () => watches.close(),
  };
}

test('R22: a repeated watch that fails leaves the earlier one as it was, and that ends with its connection', async () => {
  using rig = watchesRig();
  const ada = person();
  await rig.watches.watch(ada, 'first');
  rig.database.isLost = true;
  await assert.rejects(rig.watches.watch(ada, 'first'), /lost/);
  rig.database.isLost = false;
  for (let index = 1; index < LIMITS.browserWatches; index += 1) await rig.watches.watch(ada, `other ${index}`);
  const answer = await rig.watches.watch(ada, 'one too many');
  assert.equal(!answer.ok && answer.error.code, 'conflict', 'the earlier one counts');
  for (let index = 1; index < LIMITS.browserWatches; index += 1) rig.watches.unwatch(ada, `other ${index}`);
  rig.show('first', 'before the end');
  const seen = ada.shown.length;
  ada.end();
  rig.show('first', 'after the end');
  assert.deepEqual([ada.shown.length, rig.isLetGo()], [seen, true]);
});

test('R22: a first watch that fails is none, and may be tried again', async () => {
  using rig = watchesRig();
  const ada = person();
  rig.database.isLost = true;
  for (let index = 0; index < 2 * LIMITS.browserWatches; index += 1) await assert.rejects(rig.watches.watch(ada, `session ${index}`), /lost/);
  rig.database.isLost = false;
  assert.equal((await rig.watches.watch(ada, 'session')).ok, true);
});

test('R23: however often people begin to watch a session, its machine is asked for the last picture once a second', async () => {
  using rig = watchesRig();
  const [ada, another] = [person(), person()];
  await rig.watches.watch(ada, 'session');
  rig.show('session', 'the first');
  for (let round = 0; round < 50; round += 1) await rig.watches.watch(ada, 'session');
  await rig.watches.watch(another, 'session');
  assert.equal(rig.anew(), 1);
  await rig.pass(1_000);
  assert.equal(rig.anew(), 2, 'for all of them together');
  rig.show('session', 'the second');
  assert.equal(another.shown.at(-1), 'browser:frame');
  await rig.pass(1_000);
  assert.equal(rig.anew(), 2, 'nobody waits');
});

test('R23: a watch that is switched off and on without pause, by one or by several, has its machine asked once a second', async () => {
  using rig = watchesRig();
  const people = [person(), person()];
  for (let round = 0; round < 50; round += 1)
    for (const one of people) {
      await rig.watches.watch(one, 'session');
      rig.watches.unwatch(one, 'session');
    }
  await rig.watches.watch(person(), 'session');
  assert.equal(rig.anew(), 1);
  await rig.pass(1_000);
  assert.equal(rig.anew(), 2, 'for whoever watches at last');
  await rig.pass(1_000);
  await rig.watches.watch(person(), 'another session');
  assert.equal(rig.anew(), 3, 'each session has a pace of its own');
});
