import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { RawPeer } from './raw-peer.ts';

/** What a flooder is given. */
export interface FloodPlace {
  readonly port: number;
  /** A right key of somebody else than who is measured. */
  readonly key: string;
  /** A session of that person with a long transcript. */
  readonly sessionId: string;
  /** Where the flood comes from. */
  readonly localAddress?: string;
}

/** What came of it. `refused`: answers that were a refusal; `cut`: connections that the server ended. */
export interface FloodCounts {
  sent: number;
  refused: number;
  cut: number;
  readonly answers: Record<string, number>;
}

export type FloodKind = (place: FloodPlace, flood: Flood) => Promise<void>;

/** One flood while it runs. */
export interface Flood {
  readonly counts: FloodCounts;
  isOver(): boolean;
  /** Resolves when it is over: what the server leaves unread may wait for longer. */
  readonly over: Promise<void>;
}

const AT_ONCE = 8;
const HALF_OPEN = 2_000;
const UNAUTHENTICATED = 1_000;
const HOARDERS = 12;
/** Pages of about a mebibyte: as much as the server keeps for one connection, beside what the buffers of TCP hold. */
const HOARDED_PAGES = 12;
/** Of nearly 8 MiB each: the server may keep no more than eight. */
const UNFINISHED = 16;
const DROP_EVERY_MS = 1_000;
/** Longer than the server lets anything wait that has not signed in. */
const CUT_LIMIT_MS = 25_000;

/** By name, as the report prints them. */
export const FLOODS: Readonly<Record<string, FloodKind>> = {
  'small events, answers read': (place, flood) => several(4, () => smallEvents(place, flood, true)),
  'small events, answers not read': (place, flood) => several(4, () => smallEvents(place, flood, false)),
  'small events by polling': (place, flood) => several(4, () => polling(place, flood, SMALL_EVENTS)),
  'bodies of 3 MiB by polling': (place, flood) =>
    several(4, () => polling(place, flood, [`42/agent,1["session:list",{"pad":"${'x'.repeat(3 * 1_024 * 1_024)}"}]`])),
  'a long transcript, asked for and not read': (place, flood) => several(4, () => slowReader(place, flood)),
  'a long transcript for many connections of one key, none of which reads': (place, flood) => hoarders(place, flood),
  'packets of 5 MiB': (place, flood) => several(2, () => bigPackets(place, flood, 5)),
  'packets of 9 MiB': (place, flood) => several(2, () => bigPackets(place, flood, 9)),
  'messages that are never finished': (place, flood) => unfinished(place, flood),
  'deeply nested packets': (place, flood) => several(2, () => nested(place, flood)),
  'half-open connections': (place, flood) => halfOpen(place, flood),
  'sockets that never sign in': (place, flood) => unauthenticated(place, flood),
  'handshakes with wrong keys': (place, flood) => several(AT_ONCE, () => wrongKeys(place, flood)),
  'HTTP requests': (place, flood) => several(AT_ONCE, () => httpRequests(place, flood)),
  passwords: (place, flood) => several(32, () => passwords(place, flood)),
  'API requests without a credential': (place, flood) => several(32, () => asking(place, flood, ['GET /api/me'])),
  'API requests with a right key': (place, flood) => several(32, () => asking(place, flood, ['GET /api/devices', `Authorization: Bearer ${place.key}`])),
  'API requests with one key from many addresses': (place, flood) =>
    fromManyAddresses(512, (localAddress) => asking({ ...place, localAddress }, flood, ['GET /api/devices', `Authorization: Bearer ${place.key}`])),
  'slow bodies': (place, flood) => several(400, () => slowBody(place, flood)),
  'files of the page': (place, flood) => several(32, () => asking(place, flood, ['GET /', 'Accept-Encoding: br'])),
  'polling sessions that begin': (place, flood) => several(32, () => asking(place, flood, [`GET ${SOCKET_PATH}?EIO=4&transport=polling`])),
};

/** They cannot see what became of them: one reads nothing, and what the others send waits. The server leaves it unread. */
export const SEE_NOTHING: ReadonlySet<string> = new Set([
  'small events, answers not read',
  'bodies of 3 MiB by polling',
  'API requests with one key from many addresses',
  'slow bodies',
]);

/** They are cut only once much waits for them, which on a busy machine takes longer than a flood. */
export const CUT_LATE: ReadonlySet<string> = new Set([
  'a long transcript, asked for and not read',
  'a long transcript for many connections of one key, none of which reads',
  'messages that are never finished',
]);

async function several(count: number, one: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, one));
}

/** Every address of 127.0.0.0/8 is this machine's, and to the server each is another client's. */
async function fromManyAddresses(count: number, one: (localAddress: string) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, number) => one(`127.1.${number >> 8}.${number & 255}`)));
}

/** Opens a connection again whenever the server has ended it, until the flood is over. */
async function again(flood: Flood, one: (number: number) => Promise<RawPeer | undefined>): Promise<void> {
  for (let number = 0; !flood.isOver(); number += 1) {
    const peer = await one(number).catch(() => undefined);
    if (!peer) {
      await nextTurn();
      continue;
    }
    if (!flood.isOver() || !peer.isOpen) flood.counts.cut += 1;
    tally(flood, peer);
    peer.destroy();
  }
}

function tally({ counts }: Flood, peer: RawPeer): void {
  for (const [code, count] of Object.entries(peer.answers)) {
    counts.answers[code] = (counts.answers[code] ?? 0) + count;
    if (code !== 'ok') counts.refused += count;
  }
}

async function signedIn({ port, key }: FloodPlace): Promise<RawPeer> {
  const peer = await RawPeer.open(port);
  await peer.join('/agent', key);
  return peer;
}

/** Writes as fast as the other side takes it, until the flood or the connection is over. */
async function pour(peer: RawPeer, flood: Flood, next: (number: number) => string): Promise<void> {
  for (let number = 0; peer.isOpen && !flood.isOver(); number += 1) {
    flood.counts.sent += 1;
    if (!peer.send(next(number))) await Promise.race([peer.ready(), flood.over]);
    if (number % 64 === 63) await nextTurn();
  }
}

function smallEvents(place: FloodPlace, flood: Flood, isReading: boolean): Promise<void> {
  return again(flood, async () => {
    const peer = await signedIn(place);
    if (!isReading) peer.socket.pause();
    await pour(peer, flood, (number) => `42/agent,${number}["session:list",{}]`);
    return peer;
  });
}

/** Half a megabyte of them. */
const SMALL_EVENTS = Array.from({ length: 10_000 }, (_, number) => `42/agent,${number}["session:list",{}]`);

/** The same events in one body after another. */
async function polling({ port, key }: FloodPlace, flood: Flood, events: readonly string[]): Promise<void> {
  const address = `http://127.0.0.1:${port}${SOCKET_PATH}?EIO=4&transport=polling`;
  const body = events.join('\u001e');
  const handshake = `40/agent,${JSON.stringify({ protocol: PROTOCOL_VERSION, token: key, client: { name: 'flood', version: '1' } })}`;
  while (!flood.isOver()) {
    const opened = await (await fetch(address)).text().catch(() => '');
    const sid = /"sid":"([^"]+)"/.exec(opened)?.[1];
    if (sid === undefined) continue;
    await fetch(`${address}&sid=${sid}`, { method: 'POST', body: handshake });
    await (await fetch(`${address}&sid=${sid}`)).text();
    for (let isOpen = true; isOpen && !flood.isOver(); ) {
      flood.counts.sent += events.length;
      isOpen = await fetch(`${address}&sid=${sid}`, { method: 'POST', body }).then(
        ({ ok }) => ok,
        () => false,
      );
      if (!isOpen) flood.counts.cut += 1;
    }
  }
}

function slowReader(place: FloodPlace, flood: Flood): Promise<void> {
  return again(flood, async () => {
    const peer = await signedIn(place);
    peer.socket.pause();
    await pour(peer, flood, (number) => `42/agent,${number}["session:attach",{"sessionId":"${place.sessionId}"}]`);
    return peer;
  });
}

/**
 * Each has nearly as much waiting as one connection may, takes nothing and answers pings. In turns, a page for each, so that none is over its own
 * bound before all are full; and not much faster than pages are made, which one that reads tells: what waits too long for its turn is refused.
 */
async function hoarders(place: FloodPlace, flood: Flood): Promise<void> {
  const reader = await signedIn(place);
  const peers: RawPeer[] = [];
  for (let count = 0; count < HOARDERS; count += 1) {
    const peer = await signedIn(place);
    peer.socket.pause();
    peers.push(peer);
  }
  const answering = setInterval(() => {
    for (const peer of peers) peer.send('3');
  }, 1_500);
  for (let number = 0; !flood.isOver(); number += 1) {
    const ask = `42/agent,${number}["session:attach",{"sessionId":"${place.sessionId}"}]`;
    const peer = peers[number % HOARDERS];
    if (number < HOARDERS * HOARDED_PAGES && peer?.isOpen) {
      flood.counts.sent += 1;
      peer.send(ask);
    }
    if (number % 3 === 0) await Promise.race([flood.over, reader.ask(ask)]);
    flood.counts.cut = peers.filter(({ isOpen }) => !isOpen).length;
  }
  clearInterval(answering);
  for (const peer of [reader, ...peers]) peer.destroy();
}

function bigPackets(place: FloodPlace, flood: Flood, mebibytes: number): Promise<void> {
  const pad = 'x'.repeat(mebibytes * 1_024 * 1_024);
  return again(flood, async () => {
    const peer = await signedIn(place);
    await pour(peer, flood, (number) => `42/agent,${number}["session:list",{"pad":"${pad}"}]`);
    return peer;
  });
}

/** Nearly all of a message on each connection, and then a byte of it now and then. */
async function unfinished(place: FloodPlace, flood: Flood): Promise<void> {
  const [all, begun] = [8 * 1_024 * 1_024, 8 * 1_024 * 1_024 - 64 * 1_024];
  const peers: RawPeer[] = [];
  for (let count = 0; count < UNFINISHED; count += 1) {
    const peer = await signedIn(place);
    peer.socket.once('close', () => {
      if (!flood.isOver()) flood.counts.cut += 1;
    });
    peer.begin('x'.repeat(all), begun);
    flood.counts.sent += 1;
    peers.push(peer);
  }
  const dropping = setInterval(() => {
    for (const { socket } of peers) socket.write('x');
  }, DROP_EVERY_MS);
  await flood.over;
  clearInterval(dropping);
  for (const peer of peers) peer.destroy();
}

function nested(place: FloodPlace, flood: Flood): Promise<void> {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const objects = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`;
  return again(flood, async () => {
    const peer = await signedIn(place);
    await pour(peer, flood, (number) => `42/agent,${number}["session:list",{"cursor":${number % 2 ? deep : objects}}]`);
    return peer;
  });
}

/** Half of a request head, and then silence. */
async function halfOpen({ port }: FloodPlace, flood: Flood): Promise<void> {
  await crowd(flood, HALF_OPEN, async () => {
    const socket = await dialled(port);
    socket.write('GET / HTTP/1.1\r\nHost: 127');
    return socket;
  });
}

/** A WebSocket that says nothing. */
async function unauthenticated({ port }: FloodPlace, flood: Flood): Promise<void> {
  await crowd(flood, UNAUTHENTICATED, async () => (await RawPeer.open(port)).socket);
}

/** Keeps this many connections open, new ones for those that were cut, and waits in the end for the server to cut the last. */
async function crowd(flood: Flood, most: number, open: () => Promise<Socket>): Promise<void> {
  const living = new Set<Socket>();
  const forget = (socket: Socket): void => {
    living.delete(socket);
    flood.counts.cut += 1;
  };
  while (!flood.isOver()) {
    const missing = Math.min(50, most - living.size);
    const made = await Promise.allSettled(Array.from({ length: missing }, open));
    for (const one of made) {
      if (one.status !== 'fulfilled') continue;
      flood.counts.sent += 1;
      living.add(one.value);
      one.value.resume().once('close', () => forget(one.value));
    }
    await nextTurn();
  }
  const ends = [...living].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  const late = new Promise((resolve) => setTimeout(resolve, CUT_LIMIT_MS).unref());
  await Promise.race([Promise.all(ends), late]);
  for (const socket of living) socket.removeAllListeners('close').destroy();
}

async function dialled(port: number, localAddress?: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, ...(localAddress !== undefined && { localAddress }) });
  socket.on('error', () => socket.destroy());
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('close', reject));
  return socket;
}

function wrongKeys({ port }: FloodPlace, flood: Flood): Promise<void> {
  return again(flood, async (number) => {
    const peer = await RawPeer.open(port);
    flood.counts.sent += 1;
    const answer = await peer.join('/agent', `tnd_${'x'.repeat(40)}${number}`);
    if (answer?.startsWith('44')) flood.counts.refused += 1;
    return peer;
  });
}

/** One connection after another, as many requests on each as the server takes; what is asked for changes. */
function httpRequests(place: FloodPlace, flood: Flood): Promise<void> {
  const { port } = place;
  const head = `Host: 127.0.0.1:${port}\r\n`;
  const requests = [
    `GET /api/me HTTP/1.1\r\n${head}\r\n`,
    `GET /api/keys HTTP/1.1\r\n${head}Authorization: Bearer tnd_${'y'.repeat(43)}\r\n\r\n`,
    `GET /nowhere/${'z'.repeat(4_000)} HTTP/1.1\r\n${head}\r\n`,
    `POST /api/pair/key HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 20000\r\n\r\n${'9'.repeat(20_000)}`,
    `GET /api/me HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
  ];
  return pipelined(place, flood, (number) => requests[number % requests.length] ?? '');
}

function passwords(place: FloodPlace, flood: Flood): Promise<void> {
  const { port } = place;
  const body = JSON.stringify({ email: 'ada@example.org', password: 'wrong wrong wrong' });
  const text = `POST /api/auth/sign-in HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: http://127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  return pipelined(place, flood, () => text);
}

/** The same request, over and over. */
function asking(place: FloodPlace, flood: Flood, [what, ...headers]: readonly [string, ...string[]]): Promise<void> {
  const text = [`${what} HTTP/1.1`, `Host: 127.0.0.1:${place.port}`, ...headers, '', ''].join('\r\n');
  return pipelined(place, flood, () => text);
}

/** A request that somebody may make, whose body comes in drops. */
async function slowBody({ port, key }: FloodPlace, flood: Flood): Promise<void> {
  const head = `POST /api/keys HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n`;
  while (!flood.isOver()) {
    const socket = await dialled(port).catch(() => undefined);
    if (!socket) continue;
    flood.counts.sent += 1;
    socket.resume().write(`${head}Content-Length: 10000\r\n\r\n{`);
    const dropping = setInterval(() => socket.write(' '), 500);
    await Promise.race([flood.over, new Promise((resolve) => socket.once('close', resolve))]);
    clearInterval(dropping);
    if (!flood.isOver()) flood.counts.cut += 1;
    socket.destroy();
  }
}

/** Sixteen requests are under way on each connection. Every status from 400 on is a refusal. */
async function pipelined(place: FloodPlace, flood: Flood, next: (number: number) => string): Promise<void> {
  for (let number = 0; !flood.isOver(); ) {
    const socket = await dialled(place.port, place.localAddress).catch(() => undefined);
    if (!socket) continue;
    let under = 0;
    socket.setEncoding('latin1').on('data', (text: string) => {
      for (const [, status = ''] of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
        under -= 1;
        flood.counts.answers[status] = (flood.counts.answers[status] ?? 0) + 1;
        if (status >= '400') flood.counts.refused += 1;
      }
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    while (!socket.destroyed && !flood.isOver()) {
      for (; under < 16; under += 1) {
        flood.counts.sent += 1;
        number += 1;
        socket.write(next(number));
      }
      await Promise.race([closed, flood.over, new Promise((resolve) => socket.once('data', resolve))]);
    }
    if (!flood.isOver()) flood.counts.cut += 1;
    socket.destroy();
  }
}
