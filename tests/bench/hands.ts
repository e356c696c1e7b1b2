import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type FileHandle, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startGateway } from '@tendon/gateway';
import { createLog } from '@tendon/server';
import { epochMs, type ServerDouble, startServerDouble, startTendon, temporaryFolder } from '@tendon/testing';
import { rgPath } from '@vscode/ripgrep';
import { io } from 'socket.io-client';
import { type Figure, figure, residentMegabytes } from './figures.ts';

/*
 * The hands alone, at a small server that answers at once: what it takes until a machine is there, to come back after a cut, and what a call
 * costs beside the work itself. Each with its floor: a bare Socket.IO client, the bare file, ripgrep itself.
 */

const FILES = 100_000;
const IN_A_FOLDER = 100;
const SETTLE_MS = 2_000;
const MEMORY_ROUNDS = 5;

export interface HandsSetup {
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
}

export async function hands({ isQuick, say }: HandsSetup): Promise<Record<string, Figure>> {
  await using folder = await temporaryFolder();
  say('a machine that comes');
  const come = await arrivals(folder.path, isQuick ? 3 : 10);
  say('a machine that comes back');
  const back = await returns(folder.path, isQuick ? 5 : 30);
  say('calls of a machine');
  const calls = await callCosts(folder.path, isQuick ? 30 : 300);
  say(`a search through ${FILES} files`);
  const found = await searches(folder.path, isQuick ? 3 : 10);
  return { ...come, ...back, ...calls, ...found };
}

/** From the start of the process to its greeting; beside a process that only loads Socket.IO's client and connects. */
async function arrivals(folder: string, rounds: number): Promise<Record<string, Figure>> {
  const [times, bare]: [number[], number[]] = [[], []];
  const [memory, bareMemory]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    await using double = await startServerDouble();
    const begun = epochMs();
    const greeted = double.until(() => double.hellos[0]).then(() => times.push(epochMs() - begun));
    const env = { TENDON_HOME: join(folder, 'home'), TENDON_API_KEY: 'a key of the benchmark' };
    await using machine = await startTendon({ args: ['gateway', '--server', double.url, '--workspace', folder], env, scratch: folder });
    await greeted;
    // The first start of a home has no code in its cache yet.
    if (round > 0 && round <= MEMORY_ROUNDS) {
      await pause(SETTLE_MS);
      memory.push(residentMegabytes(machine.pid));
      bareMemory.push(await bareNodeMegabytes());
    }
    await using other = await startServerDouble();
    bare.push(await bareArrival(other));
  }
  return { gatewayReadyMs: figure(times), bareClientReadyMs: figure(bare), gatewayMemoryMb: figure(memory), bareNodeMemoryMb: figure(bareMemory) };
}

/** A process of Node's that does nothing. */
async function bareNodeMegabytes(): Promise<number> {
  const idle = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e3)'], { stdio: 'ignore' });
  await pause(SETTLE_MS);
  const megabytes = residentMegabytes(idle.pid ?? 0);
  idle.kill();
  return megabytes;
}

async function bareArrival(double: ServerDouble): Promise<number> {
  const script = `import { io } from 'socket.io-client'; io(${JSON.stringify(`${double.url}/gateway`)}, { transports: ['websocket'] }).on('connect', () => process.exit())`;
  const begun = epochMs();
  const ended = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: import.meta.dirname });
  await double.until(() => double.handshakes[0]);
  const took = epochMs() - begun;
  await ended;
  return took;
}

/** From the cut to the next greeting, without the pause between the two, which is random and meant to be; beside a bare client that dials again. */
async function returns(folder: string, rounds: number): Promise<{ reconnectMs: Figure; bareReconnectMs: Figure }> {
  const [times, bare]: [number[], number[]] = [[], []];
  await using double = await startServerDouble();
  await using _ = await machineAt(double, folder);
  for (let round = 0; round < rounds; round += 1) {
    const known = double.hellos.length;
    const begun = epochMs();
    double.cut();
    await double.until(() => double.hellos[known]);
    times.push(epochMs() - begun);
  }
  for (let round = 0; round < rounds; round += 1) {
    const begun = epochMs();
    const socket = io(`${double.url}/gateway`, { transports: ['websocket'], forceNew: true, reconnection: false });
    await once(socket as never, 'connect');
    bare.push(epochMs() - begun);
    socket.disconnect();
  }
  return { reconnectMs: figure(times), bareReconnectMs: figure(bare) };
}

/** From a dispatch to its result: a tool that only reads, and one that writes, which is journaled twice; beside the bare work on the file and a bare question over the same kind of socket. */
async function callCosts(folder: string, rounds: number): Promise<Record<string, Figure>> {
  const [reads, writes, bareAsks, bareReads, bareWrites, syncedWrites]: number[][] = [[], [], [], [], [], []];
  await using log = await open(join(folder, 'bare-log'), 'a');
  await using double = await startServerDouble();
  await using _ = await machineAt(double, folder);
  const content = 'a line of a file\n'.repeat(50);
  await writeFile(join(folder, 'read.txt'), content);
  for (let round = 0; round < rounds; round += 1) {
    reads?.push(await timed(() => double.run('read_file', { path: 'read.txt' })));
    writes?.push(await timed(() => double.run('write_file', { path: `written-${round}.txt`, content })));
    // Answered at once by a machine that holds nothing of such a call.
    bareAsks?.push(await timed(() => double.emit('tool:cancel', { callId: randomUUID() })));
    bareReads?.push(await timed(() => readFile(join(folder, 'read.txt'))));
    bareWrites?.push(await timed(() => writeFile(join(folder, `bare-${round}.txt`), content)));
    syncedWrites?.push(await timed(() => syncedWrite({ log, path: join(folder, `synced-${round}.txt`), content })));
  }
  return {
    readCallMs: figure(reads ?? []),
    writeCallMs: figure(writes ?? []),
    bareAskMs: figure(bareAsks ?? []),
    bareReadMs: figure(bareReads ?? []),
    bareWriteMs: figure(bareWrites ?? []),
    bareSyncedWriteMs: figure(syncedWrites ?? []),
    writeAddsMs: figure((writes ?? []).map((ms, round) => ms - (syncedWrites?.[round] ?? Number.NaN))),
  };
}

/** What a crash may not take from a call that writes, and nothing else: that it began, what was there before, the file, and that it is done. */
async function syncedWrite({ log, path, content }: { readonly log: FileHandle; readonly path: string; readonly content: string }): Promise<void> {
  const line = async (): Promise<void> => {
    await log.appendFile(`${'x'.repeat(200)}\n`);
    await log.datasync();
  };
  await line();
  await line();
  const temporary = await open(`${path}.tmp`, 'wx');
  await temporary.writeFile(content);
  await temporary.datasync();
  await temporary.close();
  await rename(`${path}.tmp`, path);
  await line();
}

async function searches(folder: string, rounds: number): Promise<Record<string, Figure>> {
  const tree = join(folder, 'tree');
  for (let first = 0; first < FILES; first += IN_A_FOLDER) {
    const place = join(tree, String(Math.floor(first / 10_000)), String(first));
    await mkdir(place, { recursive: true });
    const write = (index: number): Promise<void> =>
      writeFile(join(place, `file-${index}.${index % 10 === 0 ? 'ts' : 'txt'}`), `the content of ${index}\n${index % 1_000 === 0 ? 'a needle\n' : ''}`);
    await Promise.all(Array.from({ length: IN_A_FOLDER }, (_, index) => write(first + index)));
  }
  const [globs, greps, listed, sorted, unsorted]: number[][] = [[], [], [], [], []];
  const rg = (...args: string[]) => promisify(execFile)(rgPath, [...args, '.'], { cwd: tree, maxBuffer: 2 ** 28 });
  await using double = await startServerDouble();
  await using _ = await machineAt(double, tree);
  for (let round = 0; round < rounds; round += 1) {
    globs?.push(await timed(() => double.run('glob', { pattern: '**/file-*77.txt' })));
    listed?.push(await timed(() => rg('--files', '--hidden')));
    greps?.push(await timed(() => double.run('grep', { pattern: 'needle' })));
    sorted?.push(await timed(() => rg('--json', '--sort', 'path', '--hidden', '--regexp=needle')));
    unsorted?.push(await timed(() => rg('--json', '--hidden', '--regexp=needle')));
  }
  return {
    globMs: figure(globs ?? []),
    ripgrepFilesMs: figure(listed ?? []),
    grepMs: figure(greps ?? []),
    ripgrepSortedMs: figure(sorted ?? []),
    ripgrepUnsortedMs: figure(unsorted ?? []),
  };
}

/** A gateway of this process, which does not wait between two tries. */
async function machineAt(double: ServerDouble, workspace: string): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const home = stack.use(await temporaryFolder());
  const handle = await startGateway({
    ...{ serverUrl: double.url, token: 'a key of the benchmark', home: home.path, workspaces: [workspace], version: '0.0.0', random: () => 0 },
    log: createLog({ level: 'error', pretty: false }),
  });
  stack.defer(() => handle.close());
  await handle.ready();
  return stack.move();
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = epochMs();
  await work();
  return epochMs() - begun;
}

// Alone, for who works on the hands: node tests/bench/hands.ts [--quick]
if (import.meta.main) {
  const found = await hands({ isQuick: process.argv.includes('--quick'), say: (text) => void process.stderr.write(`... ${text}\n`) });
  process.stdout.write(
    `${JSON.stringify({ node: process.version, cores: cpus().length, cpu: cpus()[0]?.model, load: loadavg()[0], ...found }, undefined, 1)}\n`,
  );
}
