import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { epochMs } from '@tendon/testing';
import { io, type Socket } from 'socket.io-client';
import type { StreamReader } from './stream-reader.ts';
import type { Conversation, Target } from './target.ts';

/** Starts the floor in a process of its own. Answers with its address. */
export async function startFloor(modelUrl: string, stack: AsyncDisposableStack): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'floor-server.ts'), modelUrl], { stdio: ['ignore', 'pipe', 'inherit'] });
  stack.defer(async () => {
    child.kill();
    await once(child, 'exit');
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return `http://127.0.0.1:${line.toString().trim()}`;
}

export async function floorTarget(modelUrl: string, stack: AsyncDisposableStack): Promise<Target> {
  const url = await startFloor(modelUrl, stack);
  const connect = async (auth: object): Promise<Socket> => {
    const socket = io(url, { auth, transports: ['websocket'], forceNew: true, reconnection: false });
    stack.defer(() => void socket.disconnect());
    await once(socket as never, 'connect');
    return socket;
  };
  const gateway = await connect({ gateway: true });
  gateway.on('call', (answer: () => void) => answer());
  return { name: 'floor', open: (count) => Promise.all(Array.from({ length: count }, async () => conversation(await connect({})))) };
}

function conversation(socket: Socket): Conversation {
  let reader: StreamReader | undefined;
  let done: Promise<unknown> = Promise.resolve();
  socket.on('delta', ({ text }: { text: string }) => reader?.add(text));
  socket.on('approve', (answer: () => void) => answer());
  const nextDone = () => new Promise((resolve) => socket.once('done', resolve));
  return {
    prompt: async (text, next) => {
      reader = next;
      done = nextDone();
      const sentAt = epochMs();
      await socket.emitWithAck('prompt', text);
      return { sentAt, acknowledgedAt: epochMs() };
    },
    settled: async () => void (await done),
    toolRoundTrip: async () => {
      reader = undefined;
      done = nextDone();
      const sentAt = epochMs();
      await socket.emitWithAck('tool');
      await done;
      return epochMs() - sentAt;
    },
  };
}
