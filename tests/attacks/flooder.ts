// A process of its own, so that the flood costs the measuring client nothing but what the server spends on it.
import { setTimeout as pause } from 'node:timers/promises';
import { FLOODS, type Flood, type FloodCounts, type FloodPlace } from './flood-kinds.ts';

const [name = '', place = '{}'] = process.argv.slice(2);
const kind = FLOODS[name];
if (!kind) throw new Error(`there is no flood "${name}"`);
/** For so long one goes on that is to be cut, however busy the machine is. */
const PATIENCE_MS = 60_000;
const counts: FloodCounts = { sent: 0, refused: 0, cut: 0, answers: {} };
let isOver = false;
const over = new Promise<void>((resolve) => {
  process.on('message', async (message) => {
    const deadline = performance.now() + PATIENCE_MS;
    // On a machine that is busy it may not have begun yet.
    const isDone = (): boolean => counts.sent > 0 && (message !== 'stop when it is cut' || counts.cut > 0);
    while (!isDone() && performance.now() < deadline) await pause(20);
    isOver = true;
    resolve();
  });
});
const flood: Flood = { counts, isOver: () => isOver, over };
process.send?.('begun');
await kind(JSON.parse(place) as FloodPlace, flood);
process.send?.(counts, () => process.disconnect());
