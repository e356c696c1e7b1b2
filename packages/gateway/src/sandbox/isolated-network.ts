import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open, readlink } from 'node:fs/promises';
import { Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { ToolFault } from '../tools/faults.ts';
import { bubblewrapArguments } from './bubblewrap.ts';

/** A network of its own: a loopback that is nobody else's, and nothing that leads anywhere. It ends with the last process in it. */
export interface IsolatedNetwork {
  /** Listens on the loopback inside. Who accepts from it is outside. */
  readonly door: Server;
  /** What a command line begins with that is to run inside. */
  readonly enter: readonly string[];
  /** Lets go of it. The door is closed by who listens with it. May be called twice. */
  close(): Promise<void>;
}

const START_MS = 10_000;
const DOOR_PROGRAM = join(import.meta.dirname, 'network-door.ts');
const doorWords = z.object({ pid: z.int().positive() });
const run = promisify(execFile);

/** Whoever is root enters without a user namespace; others have to enter the one that bubblewrap made the network in. */
const isRoot = (): boolean => process.getuid?.() === 0;

/** Says in words what `cause` is, for who names it in words of their own. */
export class NoNetwork extends ToolFault {
  readonly why: string;

  constructor(cause: unknown) {
    const why = (cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s+/g, ' ').trim().slice(0, 300);
    super('no_network', noNetwork(why), { cause });
    this.why = why;
  }
}

/** Errors: `NoNetwork` when this machine cannot make one. */
export async function openIsolatedNetwork(): Promise<IsolatedNetwork> {
  const child = startDoor();
  const handles: FileHandle[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(handles.splice(0).map((handle) => handle.close()));
  };
  let door: Server | undefined;
  try {
    const first = await doorOf(child);
    const { pid } = first;
    door = first.door;
    // Held by the gateway itself, by descriptor: a process number could be given to another process, whose network is another.
    const held = async (kind: 'net' | 'user'): Promise<FileHandle> => {
      const handle = await open(`/proc/${pid}/ns/${kind}`);
      handles.push(handle);
      return handle;
    };
    const [network, user] = [await held('net'), await held('user')];
    const asUser = isRoot() ? [] : [`--user=${pathOf(user)}`, '--preserve-credentials'];
    const enter = ['nsenter', `--net=${pathOf(network)}`, ...asUser, '--'];
    await proveApart(enter);
    return { door, enter, close };
  } catch (error) {
    door?.close();
    await close();
    throw new NoNetwork(error);
  } finally {
    if (child.connected) child.disconnect();
    child.kill('SIGKILL');
  }
}

function startDoor(): ChildProcess {
  const user = isRoot() ? [] : ['--unshare-user'];
  const args = [...user, '--unshare-net', '--die-with-parent', '--ro-bind', '/', '/', '--dev-bind', '/dev', '/dev', '--', process.execPath, DOOR_PROGRAM];
  return spawn('bwrap', args, { env: {}, stdio: ['ignore', 'ignore', 'pipe', 'ipc'], timeout: START_MS, killSignal: 'SIGKILL' });
}

async function doorOf(child: ChildProcess): Promise<{ pid: number; door: Server }> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-500);
  });
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`bubblewrap ended with ${signal ?? `code ${code}`}. ${said.trim()}`);
  });
  const [words, door] = await Promise.race([once(child, 'message'), ended]);
  if (!(door instanceof Server)) throw new Error('it has no door');
  return { pid: doorWords.parse(words).pid, door };
}

/** That a command can be started there, and is truly in another network than the gateway. */
async function proveApart([program = '', ...args]: readonly string[]): Promise<void> {
  const inSandbox = ['bwrap', ...bubblewrapArguments({ writable: [], hiddenFolders: [], hiddenFiles: [], hasNetwork: true }, '/')];
  const { stdout } = await run(program, [...args, ...inSandbox, 'readlink', '/proc/self/ns/net'], { timeout: START_MS, killSignal: 'SIGKILL' });
  if (!stdout.startsWith('net:[') || stdout.trim() === (await readlink('/proc/self/ns/net')))
    throw new Error('it is not apart from the network of the machine');
}

function pathOf(handle: FileHandle): string {
  return `/proc/${process.pid}/fd/${handle.fd}`;
}

function noNetwork(why: string): string {
  return `Nothing was run: this machine's policy wants the network of commands filtered, and that could not be had (${why}). It needs bubblewrap and nsenter (Debian: apt install bubblewrap util-linux) and leave to make namespaces. The owner can also say true or false for "network" under "sandbox" in the policy file.`;
}
