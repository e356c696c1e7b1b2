// npm run chaos -- --runs N --seed S: the real processes under real faults, judged from outside.
import { parseArgs } from 'node:util';
import { chaos } from './run-chaos.ts';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '20' }, seed: { type: 'string', default: String(Math.floor(Date.now() / 1_000) % 1_000_000) } },
});
const line = (text: string): void => void process.stdout.write(`${text}\n`);
const begun = performance.now();
const tally = await chaos(Number(values.seed), Number(values.runs), line);
line(`\n${tally.runs} runs in ${((performance.now() - begun) / 1_000).toFixed(0)} s; requests ${JSON.stringify(tally.requests)}`);
for (const [title, counts] of [
  ['faults, by kind and by what was going on', tally.faults],
  ['invariants, and how often each was checked', tally.checks],
] as const) {
  line(`\n${title}`);
  for (const [name, count] of Object.entries(counts).toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))) line(`  ${name}: ${count}`);
}
for (const [kind, reason] of tally.impossible) line(`not played: ${kind}: ${reason}`);
line(`\nviolations: ${tally.violations.length}`);
process.exitCode = tally.violations.length > 0 ? 1 : 0;
