import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { temporaryFolder, until } from '@tendon/testing';
import { type BrowserRig, linkIn } from './browser-rig.ts';

const MAIN = join(import.meta.dirname, '../../packages/cli/src/main.js');

/** `tendon gateway --relay` as a process, which waits for its pairing. */
export interface RelayMachine extends AsyncDisposable {
  /** What its terminal shows so far. */
  output(): string;
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** Of the pairing. */
  code(): Promise<string>;
  /** The link to its page that was printed last; used up by whoever opens it. */
  lastLink(): string;
}

export async function relayMachine(rig: BrowserRig): Promise<RelayMachine> {
  const folder = await temporaryFolder();
  const child = spawn(process.execPath, [MAIN, 'gateway', '--server', rig.url, '--workspace', folder.path, '--name', 'attic', '--relay'], {
    env: { PATH: process.env['PATH'], TENDON_HOME: join(folder.path, '.home'), TENDON_RELAY_PORT: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  const said = (pattern: RegExp) =>
    until({ what: `the machine to say ${pattern}`, pollMs: 20, deadlineMs: 20_000, check: () => pattern.exec(output) ?? undefined });
  return {
    output: () => output,
    said,
    code: async () => (await said(/^ {4}([A-Z]{4}-[A-Z]{4})$/m))[1] ?? '',
    lastLink: () => linkIn(output.slice(output.lastIndexOf('The page for a browser'))),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      await folder[Symbol.asyncDispose]();
    },
  };
}
