import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { processesWith, until } from '@tendon/testing';
import { type CliRig, cliRig } from './cli-rig.ts';

/** A server, and a machine beside it that has not been started. For tests. */
export interface DesktopRig extends AsyncDisposable {
  /** The machine's own home. */
  readonly here: CliRig;
  /** What its commands need: where the server is, a key of it, and a browser. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly key: string;
  /** The program that stands for one. */
  readonly browser: string;
  /** How its windows were started, one argument a line. Resolves as soon as there is one. */
  started(): Promise<string>;
  /** The process ids of the windows that are open. */
  windows(): readonly number[];
}

/** What a file holds, as soon as there is something in it. */
function fileOf(path: string): Promise<string> {
  return until({ what: path, pollMs: 20, deadlineMs: 20_000, check: () => (existsSync(path) && readFileSync(path, 'utf8')) || undefined });
}

export const readJson = async <T>(path: string): Promise<T> => JSON.parse(await fileOf(path)) as T;

/** The browser is a program that writes down how it was started and stays, as a window would; `seconds` is for how long, which nobody else would choose. */
export async function desktopRig(seconds: number): Promise<DesktopRig> {
  const stays = `${seconds}.${process.pid}`;
  const [there, here] = [await cliRig(), await cliRig()];
  const serverReady = join(there.workspace, 'ready.json');
  there.run(['server', '--port', '0', '--ready-file', serverReady], { TENDON_MODEL: 'demo' });
  const { url } = await readJson<{ url: string }>(serverReady);
  const key = (await there.run(['key', 'create', 'a person']).done).stdout.trim();
  const programs = join(here.workspace, 'programs');
  const started = join(here.workspace, 'started');
  await mkdir(programs);
  const browser = join(programs, 'chromium');
  // In one write: whoever waits for it reads all of it.
  await writeFile(browser, `#!/bin/sh\nprintf '%s\\n' "$@" > "$0.$$"\ncat "$0.$$" >> "${started}"\nexec sleep ${stays}\n`);
  await chmod(browser, 0o755);
  const windows = (): readonly number[] => processesWith(stays).map(({ pid }) => pid);
  return {
    here,
    key,
    browser,
    args: ['--server', url, '--name', 'office'],
    env: { TENDON_API_KEY: key, TENDON_RELAY_PORT: '0', PATH: `${programs}:${process.env['PATH']}` },
    async started() {
      // It writes first, and is a window then.
      await until({ what: 'a window', pollMs: 20, deadlineMs: 20_000, check: () => windows().length > 0 || undefined });
      return fileOf(started);
    },
    windows,
    async [Symbol.asyncDispose]() {
      await here[Symbol.asyncDispose]();
      for (const { pid } of processesWith(stays)) process.kill(pid, 'SIGKILL');
      await there[Symbol.asyncDispose]();
    },
  };
}
