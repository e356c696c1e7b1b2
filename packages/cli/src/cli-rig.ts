import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TemporaryFolder, temporaryFolder, within } from '@tendon/testing';

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One run of `tendon` as a real process. For tests. */
export interface CliRun {
  readonly child: ChildProcess;
  readonly done: Promise<Outcome>;
  /** Resolves when standard output or error has this; rejects when the process ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
}

export interface CliRig extends AsyncDisposable {
  readonly home: string;
  readonly workspace: string;
  /** `input` is all of its standard input; null: nothing, and it stays open. */
  run(args: readonly string[], env?: Record<string, string>, input?: string | null): CliRun;
}

/** A home and a workspace of its own; every process that was started is gone at the end. */
export async function cliRig(): Promise<CliRig> {
  const folder: TemporaryFolder = await temporaryFolder();
  const home = join(folder.path, 'home');
  const workspace = join(folder.path, 'work');
  await mkdir(workspace);
  const runs: CliRun[] = [];
  return {
    home,
    workspace,
    run(args, env = {}, input = '') {
      const own = { HOME: folder.path, TENDON_HOME: home, TENDON_WORKSPACE: workspace };
      const started = startCli(args, { PATH: String(process.env['PATH']), ...codeCacheOfTests(), ...own, ...env }, input);
      runs.push(started);
      return started;
    },
    async [Symbol.asyncDispose]() {
      for (const { child, done } of runs.reverse()) {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
        await within(`the end of ${child.spawnargs.slice(2).join(' ')}`, done, 15_000);
      }
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** What was compiled for one home need not be compiled for the next. */
function codeCacheOfTests(): Record<string, string> {
  const folder = process.env['NODE_COMPILE_CACHE'];
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
}

function startCli(args: readonly string[], env: Record<string, string>, input: string | null): CliRun {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.js'), ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => undefined);
  if (input !== null) child.stdin.end(input);
  const text = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
      for (const look of waiting) look();
    });
  }
  const done = new Promise<Outcome>((resolve) => child.on('close', (code, signal) => resolve({ code, signal, ...text })));
  const said = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(text.stdout) ?? pattern.exec(text.stderr);
        if (!found) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
      void done.then((outcome) => reject(new Error(`ended with ${outcome.code} before saying ${pattern}: ${outcome.stdout}${outcome.stderr}`)));
    });
  return { child, done, said };
}
