import { planOf } from './plan.ts';
import { Random } from './random.ts';
import { runPlan } from './run-plan.ts';
const [seed = 1, nodes = 1] = process.argv.slice(2).map(Number);
const story: string[] = [];
const o = await runPlan(planOf(seed, new Random(seed), nodes), story);
process.stdout.write(story.join('\n') + '\n' + o.violations.join('\n').slice(0, 20000) + '\n');
