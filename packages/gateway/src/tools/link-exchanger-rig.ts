// Exchanges folders and files of a workspace with links that lead out of it, as fast as it can, until its parent lets go of it: node … WORKSPACE OUTSIDE
import { linkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

const [root = '', outside = ''] = process.argv.slice(2);
const names = (process.env.NAMES ?? '').split(' ');
const at = (name: string): string => join(root, name);
/** So many exchanges come in a row; then all rests for a moment as it should be, and for one as it should not. */
const ROW = 20;
const PAUSE_MS = 1;

/** Node has no RENAME_EXCHANGE: there is a moment in which nothing has the name, and a tool may make a folder there. That goes. */
function surely(step: () => void): void {
  for (;;) {
    try {
      step();
      return;
    } catch {
      rmSync(at('folder'), { recursive: true, force: true });
    }
  }
}

/** A link takes the name of a folder, and gives it back. */
function takeFolder(): void {
  // A tool that had the folder open under its other name may have made that name anew, also in the moment between.
  for (let isTaken = false; !isTaken; ) {
    try {
      rmSync(at('.folder'), { recursive: true, force: true });
      renameSync(at('folder'), at('.folder'));
      isTaken = true;
    } catch {
      // Once more.
    }
  }
  surely(() => symlinkSync(outside, at('folder')));
}

function giveFolder(): void {
  renameSync(at('folder'), at('.link'));
  surely(() => renameSync(at('.folder'), at('folder')));
}

/** A link that leads now here, now there, and is there all the time. */
function turnLink(target: string): void {
  symlinkSync(target, at('.turn'));
  renameSync(at('.turn'), at('turn'));
}

/** A file and a link to one outside take each other's place, without a moment between. */
function putLink(name: string): void {
  symlinkSync(join(outside, name), at('.exchanged'));
  renameSync(at('.exchanged'), at(name));
}

function putFile(name: string): void {
  linkSync(at(`.${name}`), at('.exchanged'));
  renameSync(at('.exchanged'), at(name));
}

const pause = new Int32Array(new SharedArrayBuffer(4));
const rest = (): unknown => Atomics.wait(pause, 0, 0, PAUSE_MS);
process.once('disconnect', () => process.exit());

function leadOut(some: readonly string[]): void {
  takeFolder();
  turnLink(outside);
  for (const name of some) putLink(name);
}

function leadIn(some: readonly string[]): void {
  giveFolder();
  turnLink('inside');
  for (const name of some) putFile(name);
}

function work(): void {
  for (let turn = 0; turn < ROW; turn += 1) {
    const one = names.slice(turn % names.length).slice(0, 1);
    leadOut(one);
    leadIn(one);
  }
  rest();
  leadOut(names);
  rest();
  leadIn(names);
  process.send?.('exchanged');
  setImmediate(work);
}

work();
