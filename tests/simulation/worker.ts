import { parentPort, workerData } from 'node:worker_threads';
import { planOfSeed } from './plan.ts';
import { runPlan } from './run-plan.ts';
import { addOutcome, emptyTally } from './tally.ts';

export interface WorkerTask {
  readonly firstSeed: number;
  readonly runs: number;
  /** Takes every so-manyth seed, so that workers share a range. */
  readonly stride: number;
}

const REPORT_EVERY = 50;

// Failures are part of every schedule, and nobody reads where they come from: `--explain` plays a seed outside of here.
Error.stackTraceLimit = 0;

/** Plays its share of the seeds and reports as it goes. */
const { firstSeed, runs, stride } = workerData as WorkerTask;
let tally = emptyTally();
for (let index = 0; index < runs; index += 1) {
  const seed = firstSeed + index * stride;
  addOutcome(tally, seed, await runPlan(planOfSeed(seed)));
  if (tally.runs < REPORT_EVERY && index < runs - 1) continue;
  parentPort?.postMessage(tally);
  tally = emptyTally();
}
