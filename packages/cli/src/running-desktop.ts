import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { StartError } from '@tendon/server/settings';
import { z } from 'zod';

/*
 * One `tendon desktop` for a machine. Whoever starts it again means its window:
 *
 *   second ──a line: which page, of which server──► first, which opens a window and says so ──► second ends
 *      └── nobody there ──► is the first itself
 *
 * Through a socket in the home, which nobody but this user reaches, and no command in a sandbox.
 */

const wishSchema = z.object({ path: z.string().regex(/^\/[\w/-]{0,200}$/), serverUrl: z.string().max(2_000) });
const answerSchema = z.object({ opened: z.boolean(), serverUrl: z.string().max(2_000) });

export type Wish = z.infer<typeof wishSchema>;

export interface DesktopPlace {
  readonly home: string;
  /** The machine's. */
  readonly name: string;
}

const LINE_BYTES = 8 * 1_024;
const ANSWER_MS = 5_000;
/** What the kernel takes for the address of such a socket. */
const LONGEST_ADDRESS = 100;

/** Whether one that runs has opened its window. Errors: `StartError` when it is at another server. */
export async function openInRunning(place: DesktopPlace, wish: Wish): Promise<boolean> {
  const address = addressOf(place);
  if (address === undefined) return false;
  const socket = connect(address);
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(ANSWER_MS) });
    socket.write(`${JSON.stringify(wish)}\n`);
    const answer = answerSchema.safeParse(jsonOf(await lineOf(socket)));
    if (answer.success && !answer.data.opened)
      throw new StartError(`this machine is open already, at ${answer.data.serverUrl}: end that "tendon desktop" first, or give this one another --name`);
    return answer.success;
  } catch (error) {
    if (error instanceof StartError) throw error;
    // Nobody is there, or one that just ends.
    return false;
  } finally {
    socket.destroy();
  }
}

/** Opens windows for those that are started later, until it is closed. Where it cannot listen, they are refused as any second gateway is. */
export async function openForOthers(place: DesktopPlace, { serverUrl, open }: { readonly serverUrl: string; readonly open: (path: string) => void }) {
  const address = addressOf(place);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).once('close', () => sockets.delete(socket));
    void lineOf(socket)
      .then((line) => {
        const wish = wishSchema.safeParse(jsonOf(line));
        if (!wish.success) return void socket.destroy();
        const opened = wish.data.serverUrl === serverUrl;
        if (opened) open(wish.data.path);
        socket.end(`${JSON.stringify({ opened, serverUrl })}\n`);
      })
      .catch(() => socket.destroy());
  });
  server.on('error', () => undefined);
  if (address !== undefined) await listen(server, { folder: join(place.home, 'run'), address }).catch(() => server.close());
  return {
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listen(server: Server, { folder, address }: { readonly folder: string; readonly address: string }): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Left by one that was killed: this one holds the machine, so there is no other.
  await rm(address, { force: true });
  server.listen(address);
  await once(server, 'listening');
  await chmod(address, 0o600);
}

function addressOf({ home, name }: DesktopPlace): string | undefined {
  const address = join(home, 'run', `desktop-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`);
  return Buffer.byteLength(address) > LONGEST_ADDRESS ? undefined : address;
}

/** The first line of what comes. Rejects when none comes in time, or one that is too long. */
function lineOf(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (): void => reject(new Error('no whole line came'));
  let text = '';
  socket.setTimeout(ANSWER_MS, fail).once('close', fail).once('error', fail);
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const end = text.indexOf('\n');
    if (end !== -1) resolve(text.slice(0, end));
    else if (text.length > LINE_BYTES) fail();
  });
  return promise;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
