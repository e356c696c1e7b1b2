import { planOf } from './plan.ts';
import { Random } from './random.ts';
import { runPlan } from './run-plan.ts';
const [from = 1, count = 10] = process.argv.slice(2).map(Number);
const t0 = performance.now();
const reached=new Map<string,number>(), checks=new Map<string,number>(); let steps = 0, virt = 0, bad = 0;
for (let seed = from; seed < from + count; seed++) {
  const o = await runPlan(planOf(seed, new Random(seed), 1));
  for(const [k,v] of o.reached) reached.set(k,(reached.get(k)??0)+v); for(const [k,v] of o.checks) checks.set(k,(checks.get(k)??0)+v); steps += o.steps; virt += o.virtualMs;
  if (o.violations.length) { bad++; if (bad < 6) process.stdout.write(`seed ${seed}: ${o.violations.slice(0,3).join('\n   ').slice(0,900)}\n`); }
}
const s = (performance.now() - t0) / 1000;
process.stdout.write(`${count} in ${s.toFixed(1)} s: ${(count / s).toFixed(0)}/s, ${Math.round(steps / count)} steps, ${Math.round(virt/count)} ms virtual, bad ${bad}\n`);
for (const [k,v] of [...reached,...checks]) process.stdout.write(`  ${k}: ${v}\n`);
