import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { emits, until } from './until.ts';

/** Where stubborn clients connect to, and how they get in there. */
export interface StubbornDoor {
  readonly port: number;
  readonly namespace: string;
  readonly token: string;
  /** What a browser sends besides. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A client that stops in the middle of what it does. It answers to nothing, and keeps its end open when the other end is closed. */
export interface StubbornClient {
  readonly title: string;
  /** Resolves when it is where it stays. */
  open(door: StubbornDoor): Promise<Socket>;
}

const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
const HEAD_END = '\r\n\r\n';

export const STUBBORN_CLIENTS: readonly StubbornClient[] = [
  { title: 'has said nothing yet', open: (door) => says(door, '') },
  { title: 'is in the middle of a request', open: (door) => says(door, get(door, 'transport=polling').slice(0, -2)) },
  { title: 'is in the middle of asking for an upgrade', open: (door) => says(door, get(door, 'transport=websocket', UPGRADE).slice(0, -2)) },
  {
    title: 'has asked for an upgrade elsewhere, and was told to go',
    open: async (door) => {
      const socket = await says(door, get(door, 'transport=websocket', UPGRADE).replace(SOCKET_PATH, '/other/'));
      if (!socket.readableEnded) await once(socket, 'end');
      return socket;
    },
  },
  { title: 'has polled once, and is away', open: async (door) => (await firstPoll(door)).socket },
  { title: 'polls', open: async (door) => says(door, get(door, `transport=polling&sid=${await pollingId(door)}`)) },
  {
    title: 'is in the middle of a post',
    open: async (door) => says(door, `${get(door, `transport=polling&sid=${await pollingId(door)}`, ['Content-Length: 100']).replace('GET', 'POST')}42`),
  },
  { title: 'is in the middle of its upgrade, before the probe', open: async (door) => (await halfUpgraded(door)).socket },
  {
    title: 'is in the middle of its upgrade, after the probe',
    open: async (door) => {
      const line = await halfUpgraded(door);
      line.socket.write(frame('2probe'));
      await line.hears('3probe');
      return line.socket;
    },
  },
  { title: 'has a WebSocket, and has not signed in', open: async (door) => (await webSocket(door)).socket },
  { title: 'has a WebSocket, is signed in and reads nothing', open: async (door) => (await signedIn(door)).socket.pause() },
  {
    title: 'has a WebSocket, and is in the middle of a packet',
    open: async (door) => {
      const { socket } = await signedIn(door);
      socket.write(frame(`42${door.namespace},1["session:list",{}]`).subarray(0, 9));
      return socket;
    },
  },
  {
    title: 'has a WebSocket, and waits for an answer',
    open: async (door) => {
      const { socket } = await signedIn(door);
      socket.write(frame(`42${door.namespace},1["session:list",{}]`));
      return socket;
    },
  },
];

interface Line {
  readonly socket: Socket;
  hears(words: string): Promise<string>;
}

async function dial({ port }: StubbornDoor): Promise<Line> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  let heard = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard += text;
  });
  const hears = (words: string): Promise<string> =>
    until({ what: `"${words}" to be said to a stubborn client`, on: emits(socket, 'data'), check: () => heard.includes(words) && heard });
  return { socket, hears };
}

/** Says this, and stays when the other side has read it: it has answered somebody who came later. */
async function says(door: StubbornDoor, text: string): Promise<Socket> {
  const { socket } = await dial(door);
  await new Promise((resolve) => socket.write(text, resolve));
  const later = await dial(door);
  later.socket.write(get(door, 'transport=none'));
  await later.hears(' 400 ');
  later.socket.destroy();
  return socket;
}

function get({ port, headers = {} }: StubbornDoor, query: string, more: readonly string[] = []): string {
  const given = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`GET ${SOCKET_PATH}?EIO=4&${query} HTTP/1.1`, `Host: 127.0.0.1:${port}`, ...given, ...more, '', ''].join('\r\n');
}

async function firstPoll(door: StubbornDoor): Promise<{ readonly socket: Socket; readonly id: string }> {
  const { socket, hears } = await dial(door);
  socket.write(get(door, 'transport=polling'));
  const id = /"sid":"([^"]+)"/.exec(await hears('}'))?.[1] ?? '';
  return { socket, id };
}

async function pollingId(door: StubbornDoor): Promise<string> {
  const { socket, id } = await firstPoll(door);
  socket.destroy();
  return id;
}

async function halfUpgraded(door: StubbornDoor): Promise<Line> {
  const line = await dial(door);
  line.socket.write(get(door, `transport=websocket&sid=${await pollingId(door)}`, UPGRADE));
  await line.hears(HEAD_END);
  return line;
}

async function webSocket(door: StubbornDoor): Promise<Line> {
  const line = await dial(door);
  line.socket.write(get(door, 'transport=websocket', UPGRADE));
  await line.hears('"sid"');
  return line;
}

async function signedIn(door: StubbornDoor): Promise<Line> {
  const line = await webSocket(door);
  const handshake = { protocol: PROTOCOL_VERSION, token: door.token, client: { name: 'stubborn', version: '1.0.0' } };
  line.socket.write(frame(`40${door.namespace},${JSON.stringify(handshake)}`));
  await line.hears(`40${door.namespace},{"sid"`);
  return line;
}

/** A text of less than 64 KiB from a client, under a mask of zeros. */
function frame(text: string): Buffer {
  const body = Buffer.from(text);
  const size = body.length < 126 ? [0x80 | body.length] : [0x80 | 126, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([0x81, ...size, 0, 0, 0, 0]), body]);
}
