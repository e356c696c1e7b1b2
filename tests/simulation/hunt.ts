import { plant } from './plant.ts';
import { PLANTED_FAULTS } from './planted-faults.ts';

/** Plants one fault (argument: its number) and looks for it: prints `{ seed, violation }`, or `{}` when it was not found in time. */
const [index, mostRuns] = process.argv.slice(2).map(Number);
const fault = PLANTED_FAULTS[index ?? -1];
if (!fault) throw new Error(`there is no planted fault ${index}`);
plant(fault);
const [{ planOfSeed }, { runPlan }] = await Promise.all([import('./plan.ts'), import('./run-plan.ts')]);
let found: { seed?: number; violation?: string | undefined } = {};
for (let seed = 1; seed <= (mostRuns ?? 2_000) && found.seed === undefined; seed += 1) {
  const { violations } = await runPlan(planOfSeed(seed));
  if (violations.length > 0) found = { seed, violation: violations[0]?.slice(0, 200) };
}
process.stdout.write(`${JSON.stringify(found)}\n`);
