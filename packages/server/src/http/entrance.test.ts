import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { until, within } from '@tendon/testing';
import { pino } from 'pino';
import { clientAddress } from './client-address.ts';
import { Entrance, type EntranceLimits } from './entrance.ts';

/* Real connections, behind a proxy that is trusted, so that they may have different addresses. Turns of the event loop and the clock are moved by hand. */

const ENOUGH: EntranceLimits = { perTurn: 4, perSecond: 1_000, burst: 1_000_000, mostOfConnection: 16, mostOfAddress: 10_000, mostOfAll: 10_000 };

interface Peer {
  readonly socket: Socket;
  /** All that came back. */
  text(): string;
  /** Sends so many requests at once. */
  ask(name: string, count?: number): void;
  untilClosed(): Promise<unknown>;
}

class EntranceRig {
  /** Paths, in the order in which they came in. */
  readonly in: string[] = [];
  readonly refused: string[] = [];
  readonly entrance: Entrance;
  readonly logLines: string[] = [];
  readonly later: (() => void)[] = [];
  asked = 0;
  atMs = 0;
  readonly #turns: (() => void)[] = [];
  readonly #sockets: Socket[] = [];
  readonly #wake = new EventTarget();
  readonly #server = createServer((request, response) => {
    const path = request.url ?? '';
    this.entrance.admit(request, {
      letIn: () => {
        this.in.push(path);
        response.end(path);
      },
      refuse: ({ status, code, retryAfterS }) => {
        this.refused.push(path);
        response.writeHead(status, { Connection: 'close', 'Retry-After': retryAfterS }).end(code);
      },
    });
    this.asked += 1;
    this.#wake.dispatchEvent(new Event('change'));
  });

  constructor(limits: Partial<EntranceLimits>) {
    this.entrance = new Entrance({
      addressOf: clientAddress(['127.0.0.1']),
      log: pino({}, { write: (line) => void this.logLines.push(line) }),
      limits: { ...ENOUGH, ...limits },
      now: () => this.atMs,
      nextTurn: (work) => void this.#turns.push(work),
      later: (_ms, work) => void this.later.push(work),
    });
  }

  static async start(limits: Partial<EntranceLimits> = {}): Promise<EntranceRig> {
    const rig = new EntranceRig(limits);
    rig.#server.listen(0, '127.0.0.1');
    await once(rig.#server, 'listening');
    return rig;
  }

  async peer(address: string): Promise<Peer> {
    const socket = connect((this.#server.address() as AddressInfo).port, '127.0.0.1');
    this.#sockets.push(socket);
    let text = '';
    socket.on('error', () => undefined);
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more;
      this.#wake.dispatchEvent(new Event('change'));
    });
    socket.on('close', () => this.#wake.dispatchEvent(new Event('change')));
    await once(socket, 'connect');
    const request = (path: string): string => `GET /${path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${address}\r\n\r\n`;
    return {
      socket,
      text: () => text,
      ask: (name, count = 1) => void socket.write(Array.from({ length: count }, (_, number) => request(`${name}${number}`)).join('')),
      untilClosed: () => this.until('the connection to end', () => socket.destroyed),
    };
  }

  until(what: string, check: () => boolean): Promise<unknown> {
    return until({
      what,
      check: () => check() || undefined,
      on: (listener) => {
        this.#wake.addEventListener('change', listener);
        return () => this.#wake.removeEventListener('change', listener);
      },
      deadlineMs: 20_000,
    });
  }

  untilAsked(count: number): Promise<unknown> {
    return this.until(`${count} requests to have arrived`, () => this.asked >= count);
  }

  turn(): void {
    for (const work of this.#turns.splice(0)) work();
  }

  /** Until nobody comes in any more. */
  turns(): void {
    for (let before = -1; before !== this.in.length; ) {
      before = this.in.length;
      this.turn();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

test('H29: while 200 connections of one address flood, the one request of another address comes in with the next ones', async () => {
  await using rig = await EntranceRig.start();
  const flood = await Promise.all(Array.from({ length: 200 }, () => rig.peer('198.51.100.1')));
  for (const peer of flood) peer.ask('flood', 8);
  await rig.untilAsked(1_600);
  const before = rig.in.length;
  const other = await rig.peer('203.0.113.9');
  other.ask('other');
  await rig.untilAsked(1_601);
  rig.turn();
  assert.ok(rig.in.slice(before).includes('/other0'), `${rig.in.slice(before)}`);
  assert.equal(before, 4, 'no more came in at once than in a turn');
});

test('H29: of one address each connection has its turn, however much another one has sent, and its requests keep their order', async () => {
  await using rig = await EntranceRig.start({ perTurn: 1 });
  const [greedy, modest] = [await rig.peer('198.51.100.1'), await rig.peer('198.51.100.1')];
  greedy.ask('greedy', 12);
  await rig.untilAsked(12);
  modest.ask('modest', 3);
  await rig.untilAsked(15);
  rig.turns();
  const at = (path: string): number => rig.in.indexOf(path);
  assert.ok(at('/modest0') <= 2 && at('/modest1') <= 4 && at('/modest2') <= 6, `${rig.in}`);
  assert.deepEqual(
    rig.in.filter((path) => path.startsWith('/greedy')),
    Array.from({ length: 12 }, (_, number) => `/greedy${number}`),
  );
  await rig.until('the last answer', () => greedy.text().endsWith('/greedy11'));
  assert.deepEqual(
    [...greedy.text().matchAll(/\/greedy(\d+)/g)].map(([, number]) => Number(number)),
    [...Array(12).keys()],
  );
});

test('H29: a household of IPv6 is one address, and what a stranger writes into the header is none', async () => {
  await using rig = await EntranceRig.start({ perTurn: 1 });
  for (let house = 0; house < 8; house += 1) (await rig.peer(`2001:db8::${house}`)).ask(`one${house}-`);
  (await rig.peer('2001:db8:0:1::1')).ask('two');
  (await rig.peer('9.9.9.9, 2001:db8::9')).ask('liar');
  await rig.untilAsked(10);
  rig.turns();
  assert.ok(rig.in.indexOf('/two0') <= 2, `${rig.in}`);
  assert.equal(rig.in.indexOf('/liar0'), 9, 'it waits with its household');
});

test('H29: an address comes in at its pace after its burst, and holds nobody else up', async () => {
  await using rig = await EntranceRig.start({ perTurn: 2, perSecond: 10, burst: 3 });
  const fast = await rig.peer('198.51.100.1');
  fast.ask('fast', 8);
  await rig.untilAsked(8);
  rig.turns();
  assert.equal(rig.in.length, 3);
  assert.equal(rig.later.length, 1, 'one timer for all');
  (await rig.peer('203.0.113.9')).ask('other');
  await rig.untilAsked(9);
  rig.turns();
  assert.deepEqual(rig.in.slice(3), ['/other0']);
  rig.atMs += 200;
  for (const work of rig.later.splice(0)) work();
  rig.turns();
  assert.deepEqual(rig.in.slice(4), ['/fast3', '/fast4']);
});

test('H29: a connection of which many wait is not read, and is read on when it has had its turns: nothing of it is lost', async () => {
  await using rig = await EntranceRig.start({ mostOfConnection: 4 });
  const peer = await rig.peer('198.51.100.1');
  // Far more than one read of Node's holds.
  const count = 20_000;
  peer.ask('many', count);
  const other = await rig.peer('203.0.113.9');
  for (let round = 1; round <= 20; round += 1) {
    const sofar = rig.asked;
    other.ask(`round${round}-`);
    await rig.until('somebody to have asked', () => rig.asked > sofar);
    rig.turn();
  }
  assert.ok(rig.entrance.waiting < 5_000, `${rig.entrance.waiting} wait`);
  let most = 0;
  const driving = setInterval(() => {
    most = Math.max(most, rig.entrance.waiting);
    rig.turns();
  }, 1);
  await within(
    'all of them to come in',
    rig.until('all', () => peer.text().endsWith(`/many${count - 1}`)),
    60_000,
  ).finally(() => clearInterval(driving));
  assert.equal(rig.refused.length, 0);
  assert.ok(most < 5_000, `${most} waited`);
});

test('H30: beyond the share of an address the newest of its longest line gets 429 and its connection ends; who comes with little is not refused', async () => {
  await using rig = await EntranceRig.start({ perTurn: 1, mostOfAddress: 5, burst: 1, perSecond: 0.001 });
  const greedy = await rig.peer('198.51.100.1');
  greedy.ask('greedy', 6);
  await rig.untilAsked(6);
  assert.deepEqual([rig.entrance.waiting, rig.refused], [5, []]);
  const [modest, other] = [await rig.peer('198.51.100.1'), await rig.peer('203.0.113.9')];
  modest.ask('modest');
  other.ask('other');
  await rig.untilAsked(8);
  assert.deepEqual([rig.entrance.waiting, rig.refused], [6, ['/greedy5']]);
  greedy.ask('unheard', 100);
  await rig.untilAsked(108);
  assert.deepEqual([rig.entrance.waiting, rig.refused.length], [6, 1], 'what comes after a refusal costs nothing');
  rig.atMs += 10_000_000;
  for (const work of rig.later.splice(0)) work();
  for (let round = 0; round < 10; round += 1) {
    rig.atMs += 10_000_000;
    rig.turns();
    for (const work of rig.later.splice(0)) work();
  }
  await greedy.untilClosed();
  assert.match(greedy.text(), /\/greedy4HTTP\/1\.1 429 Too Many Requests\r\n(?:.+\r\n)*Retry-After: 2\r\n(?:.+\r\n)*\r\n(?:.+\r\n)?rate_limited/);
  assert.equal(rig.in.length, 7);
  assert.equal(rig.logLines.filter((line) => line.includes('request_flood')).length, 1);
});

test('H30: beyond the places there are the newest of whoever has most gets 503', async () => {
  await using rig = await EntranceRig.start({ perTurn: 1, burst: 1, perSecond: 0.001, mostOfAll: 6 });
  const crowd = await Promise.all(['198.51.100.1', '198.51.100.2', '198.51.100.3'].map((address) => rig.peer(address)));
  for (const peer of crowd) peer.ask('one');
  await rig.untilAsked(3);
  rig.turns();
  crowd[0]?.ask('more', 6);
  await rig.untilAsked(9);
  assert.equal(rig.entrance.waiting, 6);
  crowd[1]?.ask('late');
  await rig.untilAsked(10);
  assert.deepEqual([rig.entrance.waiting, rig.refused], [6, ['/more5']]);
  crowd[2]?.ask('later');
  await rig.untilAsked(11);
  assert.deepEqual([rig.entrance.waiting, rig.refused], [6, ['/more5', '/more4']]);
});

test('H30: whoever has gone waits no more and does not come in', async () => {
  await using rig = await EntranceRig.start({ perTurn: 1, mostOfConnection: 100 });
  const peers = await Promise.all(Array.from({ length: 20 }, () => rig.peer('198.51.100.1')));
  for (const peer of peers) peer.ask('gone', 3);
  const stays = await rig.peer('198.51.100.1');
  stays.ask('stays');
  await rig.untilAsked(61);
  assert.equal(rig.entrance.waiting, 60);
  for (const peer of peers) peer.socket.destroy();
  await until({ what: 'them to be forgotten', check: () => rig.entrance.waiting === 1 || undefined, pollMs: 5, deadlineMs: 20_000 });
  rig.turns();
  assert.deepEqual(rig.in.slice(1), ['/stays0']);
});

test('H30: a server that closes while many wait, some of them unread, leaves nobody waiting and nothing running', async () => {
  const rig = await EntranceRig.start({ mostOfConnection: 2 });
  for (let number = 0; number < 20; number += 1) (await rig.peer('198.51.100.1')).ask('waits', 4);
  await rig.untilAsked(80);
  await within('the server to close', rig[Symbol.asyncDispose](), 20_000);
  await until({ what: 'them to be forgotten', check: () => rig.entrance.waiting === 0 || undefined, pollMs: 5, deadlineMs: 20_000 });
  rig.turns();
  assert.equal(rig.in.length, 4);
});
