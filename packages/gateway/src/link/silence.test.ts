import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server as NetServer, type Socket as NetSocket } from 'node:net';
import { after, before, mock, test } from 'node:test';
import { type GatewayTool, textResult } from '@tendon/protocol';
import { type DoubleBehaviour, startServerDouble } from '@tendon/testing';
import { pino } from 'pino';
import { Server } from 'socket.io';
import { v7 as newId } from 'uuid';
import { ChangeTeller } from './change-teller.ts';
import { openGatewaySocket } from './gateway-socket.ts';
import { type GreetingParts, greetServer } from './greeting.ts';
import { Outbox } from './outbox.ts';
import { LinkSupervisor } from './supervisor.ts';

/*
 * Real sockets, and a clock that stands still until the test moves it: a server that leaves something unanswered is waited for exactly as long as
 * it is to be, and then dialled again.
 */

interface Peer extends AsyncDisposable {
  readonly url: string;
  /** Resolves when the gateway waits for what it will not get. */
  waitedFor(count: number): Promise<unknown>;
}

/** Counts what comes to a server, and ends what it holds. */
function listening(server: NetServer, sockets: NetSocket[]): Omit<Peer, 'waitedFor'> {
  server.on('connection', (socket: NetSocket) => sockets.push(socket.on('error', () => undefined)));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Takes connections and never opens one. */
async function muteServer(): Promise<Peer> {
  const server = createServer((socket) => socket.resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets: NetSocket[] = [];
  const peer = listening(server, sockets);
  return {
    ...peer,
    waitedFor: async (count) => {
      while (sockets.length < count) await once(server, 'connection');
    },
  };
}

/** Opens connections and never lets one in. */
async function undecidedServer(): Promise<Peer> {
  const http = createHttpServer();
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const knocks = new EventTarget();
  let knocked = 0;
  new Server(http, { serveClient: false }).of('/gateway').use(() => {
    knocked += 1;
    knocks.dispatchEvent(new Event('knock'));
  });
  return {
    ...listening(http, []),
    waitedFor: async (count) => {
      while (knocked < count) await once(knocks, 'knock');
    },
  };
}

/** Lets in, and leaves one request unanswered. */
async function silentServer(behaviour: DoubleBehaviour, count: (double: Awaited<ReturnType<typeof startServerDouble>>) => number): Promise<Peer> {
  const double = await startServerDouble(behaviour);
  return {
    url: double.url,
    waitedFor: (wanted) => double.until(() => count(double) >= wanted),
    [Symbol.asyncDispose]: () => double[Symbol.asyncDispose](),
  };
}

const TOOL: GatewayTool = { name: 'new_tool', description: 'Came later.', inputSchema: {}, effect: 'read', source: 'builtin' };

function openLink(serverUrl: string) {
  const log = pino({ level: 'silent' });
  const tools: GatewayTool[] = [];
  const giveUp = (cause: string): void => link.giveUp(cause);
  const outbox = new Outbox({ online: () => link.online, giveUp, acknowledged: () => undefined, log, random: () => 0 });
  const teller = new ChangeTeller({
    name: 'gateway:tools',
    what: 'the tools',
    now: () => ({ tools: [...tools] }),
    gatherMs: 100,
    online: () => link.online,
    giveUp,
    log,
  });
  const ids = { gatewayId: newId(), instanceId: newId() };
  const hello = (): GreetingParts['hello'] => ({ ...ids, name: 'x', platform: 'x', version: '0', workspaces: [], ...teller.forHello(), calls: [] });
  const link: LinkSupervisor = new LinkSupervisor({
    socket: { serverUrl, token: 'a key', version: '0' },
    openSocket: openGatewaySocket,
    // What a silent server never answers needs no desk.
    greet: (socket) => greetServer(socket, { hello: hello(), desk: undefined as unknown as GreetingParts['desk'], outbox, endSession: () => undefined }),
    command: () => undefined,
    log,
    nowMs: () => 0,
    random: () => 0.5,
  });
  const states = new EventTarget();
  link.subscribe((state) => {
    if (state.kind === 'online') outbox.restart();
    states.dispatchEvent(new Event(state.kind));
  });
  return {
    link,
    states,
    outbox,
    teller,
    tools,
    [Symbol.dispose]: () => {
      link.stop();
      outbox.close();
      teller.close();
    },
  };
}

interface Silence {
  readonly title: string;
  readonly serve: () => Promise<Peer>;
  /** Once the link is online, where it comes so far. */
  readonly begin?: (opened: ReturnType<typeof openLink>) => void;
  readonly limitMs: number;
  readonly cause: RegExp;
}

const SILENCES: readonly Silence[] = [
  { title: 'G5: a dial', serve: muteServer, limitMs: 15_000, cause: /^it does not answer$/ },
  { title: 'G5: a handshake', serve: undecidedServer, limitMs: 30_000, cause: /^the handshake was not answered in time$/ },
  {
    title: 'G6: a hello',
    serve: () => silentServer({ hello: () => 'silent' }, ({ hellos }) => hellos.length),
    limitMs: 15_000,
    cause: /^the greeting was not answered: operation has timed out$/,
  },
  {
    title: 'G7: a result',
    serve: () => silentServer({ result: () => 'silent' }, ({ results }) => [...results.values()].flat().length),
    begin: ({ outbox }) => outbox.add(newId(), textResult('succeeded', 'x')),
    limitMs: 15_000,
    cause: /^a result was not acknowledged: operation has timed out$/,
  },
  {
    title: 'E4: a list of changed tools',
    serve: () => silentServer({ tools: () => 'silent' }, (double) => double.tools.length),
    begin: ({ teller, tools }) => {
      tools.push(TOOL);
      teller.look();
      mock.timers.tick(100);
    },
    limitMs: 15_000,
    cause: /^the tools could not be told$/,
  },
];

// Once for all: a socket that ends later still clears what was set on the clock of its test.
before(() => mock.timers.enable({ apis: ['setTimeout'] }));
after(() => mock.timers.reset());

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

for (const { title, serve, begin, limitMs, cause } of SILENCES) {
  test(`${title} that is not answered for ${limitMs / 1_000} s ends the connection, and the next one follows`, async () => {
    await using peer = await serve();
    using opened = openLink(peer.url);
    const { link } = opened;
    const online = begin && once(opened.states, 'online');
    link.start();
    await online;
    begin?.(opened);
    await peer.waitedFor(1);
    await turns();
    const before = link.state;
    assert.match(before.kind, /^(?:connecting|online)$/);
    mock.timers.tick(limitMs - 1);
    await turns();
    assert.equal(link.state, before);
    mock.timers.tick(1);
    await turns();
    assert.deepEqual([link.state.kind, cause.test('cause' in link.state ? link.state.cause : '')], ['waiting', true], JSON.stringify(link.state));
    mock.timers.tick(250);
    assert.equal(link.state.kind, 'connecting');
  });
}
