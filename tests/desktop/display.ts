import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder, within } from '@tendon/testing';
import { pictureOf } from './picture.ts';
import { type DisplayWindow, windowsOf } from './windows.ts';

/** A display that nobody sees: Xvfb, on the first number that is free. */
export interface Display extends AsyncDisposable {
  /** As `DISPLAY` has it. */
  readonly name: string;
  /** What stands on it now, as the display itself tells it. */
  windows(): Promise<readonly DisplayWindow[]>;
  /** A PNG of all of it. */
  picture(): Promise<Buffer>;
}

export async function startDisplay({ width, height }: { readonly width: number; readonly height: number }): Promise<Display> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const flags = ['-screen', '0', `${width}x${height}x24`, '-fbdir', folder.path, '-nolisten', 'tcp', '-noreset'];
  const server = spawn('Xvfb', ['-displayfd', '3', ...flags], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const ended = once(server, 'exit');
  stack.defer(async () => {
    server.kill('SIGTERM');
    await ended;
  });
  const [said] = (await within('Xvfb to say its number', once(server.stdio[3] as NodeJS.ReadableStream, 'data'), 20_000)) as [Buffer];
  const number = said.toString().trim();
  const kept = stack.move();
  return {
    name: `:${number}`,
    windows: () => windowsOf(number),
    picture: async () => pictureOf(await readFile(join(folder.path, 'Xvfb_screen0'))),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
