// A process of its own, so that the flood costs the measuring client nothing but what the server spends on it.
import { FLOODS, type Flood, type FloodCounts, type FloodPlace } from './flood-kinds.ts';

const [name = '', place = '{}'] = process.argv.slice(2);
const kind = FLOODS[name];
if (!kind) throw new Error(`there is no flood "${name}"`);
let isOver = false;
const over = new Promise<void>((resolve) => {
  process.on('message', () => {
    isOver = true;
    resolve();
  });
});
const counts: FloodCounts = { sent: 0, refused: 0, cut: 0, answers: {} };
const flood: Flood = { counts, isOver: () => isOver, over };
process.send?.('begun');
await kind(JSON.parse(place) as FloodPlace, flood);
process.send?.(counts, () => process.disconnect());
