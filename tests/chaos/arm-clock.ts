// Preloaded into the server and the gateway under test: their wall clock is off by as many milliseconds as the file says that
// TENDON_TEST_CLOCK names, followed by the command. Timers and the monotonic clock go on as they are, as when somebody sets a clock.
import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 25;
const path = `${process.env['TENDON_TEST_CLOCK']}.${process.argv[2]}`;
const RealDate = Date;
let offMs = 0;

globalThis.Date = class extends RealDate {
  constructor(...args: unknown[]) {
    super(...((args.length === 0 ? [RealDate.now() + offMs] : args) as [number]));
  }

  static override now(): number {
    return RealDate.now() + offMs;
  }
} as DateConstructor;

setInterval(() => {
  try {
    offMs = Number(readFileSync(path, 'utf8'));
  } catch {
    offMs = 0;
  }
}, LOOK_EVERY_MS).unref();
