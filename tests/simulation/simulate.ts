import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import keptSeeds from './kept-seeds.json' with { type: 'json' };
import { planOfSeed, planWithoutForks, planWithoutServerTools } from './plan.ts';
import { runPlan } from './run-plan.ts';
import { invariantOf, shrink } from './shrink.ts';
import { addOutcome, addTally, emptyTally, type Tally } from './tally.ts';
import type { WorkerTask } from './worker.ts';

/** A world lives for a moment: with so much room most of it is never copied. */
const YOUNG_MB = 64;
const RESULTS = join(import.meta.dirname, '..', '..', 'test-results', 'simulation');

export interface SimulationOptions {
  readonly firstSeed: number;
  readonly runs: number;
  readonly jobs: number;
  readonly onProgress?: (done: Tally) => void;
}

/** The kept seeds first, then a range of new ones, spread over threads. */
export async function simulate({ firstSeed, runs, jobs, onProgress }: SimulationOptions): Promise<Tally> {
  const sum = emptyTally();
  for (const seed of keptSeeds.withoutForks) addOutcome(sum, seed, await runPlan(planWithoutForks(seed)));
  for (const seed of keptSeeds.withoutServerTools) addOutcome(sum, seed, await runPlan(planWithoutServerTools(seed)));
  for (const seed of keptSeeds.seeds) addOutcome(sum, seed, await runPlan(planOfSeed(seed)));
  const shares = Array.from(
    { length: jobs },
    (_, index): WorkerTask => ({ firstSeed: firstSeed + index, runs: Math.ceil((runs - index) / jobs), stride: jobs }),
  );
  await Promise.all(
    shares.map(
      (workerData) =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
          worker.on('message', (part: Tally) => {
            addTally(sum, part);
            onProgress?.(sum);
          });
          worker.on('error', reject);
          worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker of the simulation ended with ${code}`))));
        }),
    ),
  );
  return sum;
}

/** Says how a seed fails, in as few steps as it takes, and keeps that beside the other results. Answers with the file's path. */
export async function explain(seed: number): Promise<{ path: string; text: string }> {
  const plan = planOfSeed(seed);
  const { violations } = await runPlan(plan);
  const small = violations[0] === undefined ? plan : await shrink(plan, invariantOf(violations[0]));
  const story: string[] = [];
  const outcome = await runPlan(small, story);
  const path = join(RESULTS, `seed-${seed}.txt`);
  const steps = small.steps.map(({ atMs, kind, pick }) => `  ${Math.round(atMs)} ms ${kind} ${pick}`).join('\n');
  const text = `seed ${seed}, ${plan.steps.length} steps, shrunk to ${small.steps.length}:\n${steps}\n\n${outcome.violations.join('\n')}`;
  await mkdir(RESULTS, { recursive: true });
  await writeFile(path, `${text}\n\n${story.join('\n')}\n`);
  return { path, text };
}

function printTally(tally: Tally, seconds: number): void {
  const line = (text: string): void => void process.stdout.write(`${text}\n`);
  const list = (title: string, counts: Readonly<Record<string, number>>) => {
    line(`\n${title}`);
    for (const [name, count] of Object.entries(counts).toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))) line(`  ${name}: ${count}`);
  };
  line(
    `${tally.runs} schedules in ${seconds.toFixed(1)} s (${Math.round(tally.runs / seconds)} a second), ${tally.steps} steps, ${Math.round(tally.virtualMs / 3_600_000)} hours of simulated time`,
  );
  list('invariants, and how often each was checked', tally.checks);
  list('sometimes', tally.reached);
  line(`\nviolations: ${tally.failures.length}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '10000' },
      seed: { type: 'string', default: String(Math.floor(Date.now() / 1_000) % 1_000_000_000) },
      jobs: { type: 'string', default: String(availableParallelism()) },
      /** Plays this one seed, shrinks what fails, and tells its story. */
      explain: { type: 'string' },
    },
  });
  if (values.explain !== undefined) {
    const { path, text } = await explain(Number(values.explain));
    process.stdout.write(`${text}\n\nthe whole story: ${path}\n`);
    return;
  }
  const startedAt = performance.now();
  process.stdout.write(`seeds ${values.seed} to ${Number(values.seed) + Number(values.runs) - 1}, ${values.jobs} threads\n`);
  let told = startedAt;
  const onProgress = (done: Tally) => {
    if (performance.now() - told < 30_000) return;
    told = performance.now();
    const seeds = done.failures.map(({ seed }) => seed).join(', ');
    process.stderr.write(`${done.runs} schedules, ${done.failures.length} violations${seeds === '' ? '' : `: ${seeds}`}\n`);
  };
  const tally = await simulate({ firstSeed: Number(values.seed), runs: Number(values.runs), jobs: Number(values.jobs), onProgress });
  printTally(tally, (performance.now() - startedAt) / 1_000);
  for (const { seed } of tally.failures.slice(0, 3)) {
    const { path, text } = await explain(seed);
    process.stdout.write(`\n${text}\nthe whole story: ${path}\nkeep it: add ${seed} to tests/simulation/kept-seeds.json once it is understood\n`);
  }
  if (tally.failures.length > 0) process.exitCode = 1;
}

if (import.meta.main) await main();
