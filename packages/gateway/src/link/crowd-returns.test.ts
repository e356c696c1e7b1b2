import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { until } from '@tendon/testing';
import { pino } from 'pino';
import { Server } from 'socket.io';
import { v7 as newId } from 'uuid';
import type { LinkState } from './connection.ts';
import { openGatewaySocket } from './gateway-socket.ts';
import { type GreetingParts, greetServer } from './greeting.ts';
import { LinkSupervisor } from './supervisor.ts';

/*
 * Five hundred links with real sockets, whose server goes and comes back on the same port. When somebody arrives depends on how busy this machine
 * is; when they meant to come does not.
 */

// The young generation does not grow: a hundred megabytes less, for the tests beside this one.
setFlagsFromString('--semi-space-growth-factor=1');

const LINKS = 500;
/** Not 127.0.0.1: who dials a free port from there may be given that very port to dial from, and has reached itself. */
const HOST = '127.0.0.2';
const TENTH_MS = 100;
/** Who has tried in vain waits anywhere in a second or more: in the mean a tenth of them at most means to come in any tenth of a second. */
const MOST_IN_A_TENTH = LINKS / 5;

interface Double extends AsyncDisposable {
  readonly port: number;
  /** By link: how often it was let in, and how many sockets it has. */
  readonly letIn: Map<string, number>;
  readonly live: Map<string, number>;
}

async function startDouble(port: number): Promise<Double> {
  const http: HttpServer = createServer();
  const io = new Server(http, { serveClient: false });
  const letIn = new Map<string, number>();
  const live = new Map<string, number>();
  const count = (of: Map<string, number>, link: string, more: number): unknown => of.set(link, (of.get(link) ?? 0) + more);
  io.of('/gateway').on('connection', (socket) => {
    const link = String(socket.handshake.auth['token']);
    count(letIn, link, 1);
    count(live, link, 1);
    socket.on('disconnect', () => count(live, link, -1));
    socket.on('gateway:hello', (_hello: unknown, answer: (given: unknown) => void) => answer({ ok: true, data: { send: [], cancel: [], forget: [] } }));
  });
  http.listen(port, HOST);
  await once(http, 'listening');
  return {
    port: (http.address() as AddressInfo).port,
    ...{ letIn, live },
    // May be called twice.
    [Symbol.asyncDispose]: () => (http.listening ? new Promise<void>((resolve) => void io.close(() => resolve())) : Promise.resolve()),
  };
}

/** The same numbers every time, from 0 to 1. */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Link {
  readonly name: string;
  readonly supervisor: LinkSupervisor;
  readonly states: LinkState[];
}

function openLinks(serverUrl: string, told: EventTarget): Link[] {
  const random = pseudoRandom(LINKS);
  return Array.from({ length: LINKS }, (_, index) => {
    const name = `link ${index}`;
    const hello: GreetingParts['hello'] = {
      ...{ gatewayId: newId(), instanceId: newId(), name, platform: 'x', version: '0', workspaces: [], tools: [], calls: [] },
    };
    const supervisor = new LinkSupervisor({
      socket: { serverUrl, token: name, version: '0' },
      openSocket: openGatewaySocket,
      // Nothing is to be cancelled, forgotten or sent.
      greet: (socket) => greetServer(socket, { hello, endSession: () => undefined } as unknown as GreetingParts),
      command: () => undefined,
      log: pino({ level: 'silent' }),
      nowMs: () => performance.now(),
      random,
    });
    const states: LinkState[] = [];
    supervisor.subscribe((state) => {
      states.push(state);
      told.dispatchEvent(new Event('state'));
    });
    return { name, supervisor, states };
  });
}

function mostWithin(times: readonly number[], spanMs: number): number {
  const sorted = times.toSorted((one, other) => one - other);
  let first = 0;
  return sorted.reduce((most, time, index) => {
    while (time - (sorted[first] ?? time) >= spanMs) first += 1;
    return Math.max(most, index - first + 1);
  }, 0);
}

const resources = (kind: string): number => process.getActiveResourcesInfo().filter((name) => name === kind).length;

test('G1, G2: 500 links whose server was started again on its port come back by themselves, spread out and once each, and leave nothing', async (t) => {
  const timers = resources('Timeout');
  const told = new EventTarget();
  await using first = await startDouble(0);
  const links = openLinks(`http://${HOST}:${first.port}`, told);
  const all = (what: string, holds: (link: Link) => boolean): Promise<boolean> =>
    until({
      what: `all links to be ${what}`,
      check: () => links.every(holds),
      on: (look) => {
        told.addEventListener('state', look);
        return () => told.removeEventListener('state', look);
      },
      deadlineMs: 40_000,
    });
  for (const { supervisor } of links) supervisor.start();
  await all('online', ({ supervisor }) => supervisor.state.kind === 'online');
  for (const { states } of links) states.length = 0;
  await first[Symbol.asyncDispose]();
  await all('away, and to have tried in vain', ({ states }) => states.filter(({ kind }) => kind === 'waiting').length > 1);
  await using second = await startDouble(first.port);
  await all('online again', ({ supervisor }) => supervisor.state.kind === 'online');

  for (const { name, states } of links) {
    assert.equal(states.filter(({ kind }) => kind === 'online').length, 1, name);
    assert.deepEqual([first.letIn.get(name), second.letIn.get(name), second.live.get(name)], [1, 1, 1], name);
  }
  assert.equal(second.letIn.size, LINKS);
  const meant = links.map(({ states }) => states.findLast((state) => state.kind === 'waiting')?.nextTryAtMs ?? 0);
  const most = mostWithin(meant, TENTH_MS);
  t.diagnostic(`at most ${most} of ${LINKS} meant to come within ${TENTH_MS} ms; ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`);
  assert.ok(most <= MOST_IN_A_TENTH, `${most} meant to come within ${TENTH_MS} ms`);

  for (const { supervisor } of links) supervisor.stop();
  await until({ what: 'the server to have nobody', pollMs: 10, check: () => [...second.live.values()].every((count) => count === 0) });
  await second[Symbol.asyncDispose]();
  // Two of these are those that wait here.
  const isNothingLeft = (): boolean => resources('TCPSocketWrap') + resources('TCPServerWrap') === 0 && resources('Timeout') <= timers + 2;
  await until({ what: 'the last socket and timer to be gone', pollMs: 10, check: isNothingLeft });
});
