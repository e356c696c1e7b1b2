import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A window that is shown, right on the display. */
export interface DisplayWindow {
  readonly title: string;
  readonly width: number;
  readonly height: number;
}

/** Requests of the X protocol, version 11, by their numbers. */
const X = { getWindowAttributes: 3, getGeometry: 14, queryTree: 15, internAtom: 16, getProperty: 20, grabServer: 36 } as const;
const IS_SHOWN = 2;

/** Asks a display of this machine what stands on it, in the words of the X protocol: no program has to be there for it. */
export async function windowsOf(display: string): Promise<readonly DisplayWindow[]> {
  const socket = connect(`/tmp/.X11-unix/X${display}`);
  try {
    await once(socket, 'connect');
    return await readWindows(socket);
  } finally {
    socket.destroy();
  }
}

async function readWindows(socket: Socket): Promise<DisplayWindow[]> {
  const read = reader(socket);
  socket.write(Buffer.from([0x6c, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  const greeting = await read(8);
  const setup = await read(greeting.readUInt16LE(6) * 4);
  if (greeting[0] !== 1) throw new Error(`the display lets nobody in: ${setup.toString('latin1')}`);
  const root = setup.readUInt32LE(32 + padded(setup.readUInt16LE(16)) + (setup[21] ?? 0) * 8);
  const ask = async (request: number, ...words: readonly (number | Buffer)[]): Promise<Buffer> => {
    const body = Buffer.concat(words.map((word) => (typeof word === 'number' ? uint32(word) : word)));
    const head = Buffer.from([request, 0, 0, 0]);
    head.writeUInt16LE(1 + body.length / 4, 2);
    socket.write(Buffer.concat([head, body]));
    const answer = await read(32);
    if (answer[0] !== 1) throw new Error(`the display answers request ${request} with error ${answer[1]}`);
    return Buffer.concat([answer, await read(answer.readUInt32LE(4) * 4)]);
  };
  // Nobody else is served until this connection ends: no window goes between two questions about it.
  socket.write(Buffer.from([X.grabServer, 0, 1, 0]));
  const name = Buffer.from('_NET_WM_NAME');
  const title = (await ask(X.internAtom, Buffer.from([name.length, 0, 0, 0]), name)).readUInt32LE(8);
  const tree = await ask(X.queryTree, root);
  const windows: DisplayWindow[] = [];
  for (let index = 0; index < tree.readUInt16LE(16); index += 1) {
    const id = tree.readUInt32LE(32 + index * 4);
    const attributes = await ask(X.getWindowAttributes, id);
    if (attributes[26] !== IS_SHOWN) continue;
    const geometry = await ask(X.getGeometry, id);
    const property = await ask(X.getProperty, id, title, 0, 0, 1_000);
    const text = property.subarray(32, 32 + property.readUInt32LE(16)).toString();
    windows.push({ title: text, width: geometry.readUInt16LE(16), height: geometry.readUInt16LE(18) });
  }
  return windows;
}

function uint32(value: number): Buffer {
  const word = Buffer.alloc(4);
  word.writeUInt32LE(value);
  return word;
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}

/** Reads so many bytes of what comes, in order. */
function reader(socket: Socket): (count: number) => Promise<Buffer> {
  let held = Buffer.alloc(0);
  return async (count) => {
    while (held.length < count) {
      const [more] = (await once(socket, 'data')) as [Buffer];
      held = Buffer.concat([held, more]);
    }
    const wanted = held.subarray(0, count);
    held = held.subarray(count);
    return wanted;
  };
}
