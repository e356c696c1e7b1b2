import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';

/** Enough for what a test has open already, and few enough to be taken one by one. */
const ROOM = 64;

/** Takes every descriptor that this process may still open, until it is disposed of. With prlimit(1), which is part of util-linux. */
export function takeDescriptors(): Disposable & { giveBack(count: number): void } {
  const limit = (soft: string): unknown => execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${soft}`]);
  const before = execFileSync('prlimit', ['--pid', String(process.pid), '--nofile', '--output=SOFT', '--noheadings'])
    .toString()
    .trim();
  limit(`${Math.max(...readdirSync('/proc/self/fd').map(Number)) + ROOM}:`);
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    // There is none left.
  }
  const giveBack = (count: number): void => {
    for (const descriptor of taken.splice(0, count)) closeSync(descriptor);
  };
  return {
    giveBack,
    [Symbol.dispose]() {
      giveBack(taken.length);
      limit(`${before}:`);
    },
  };
}
