import type { Outcome } from './run-plan.ts';

/** What many runs add up to. Plain data, so that it can cross from a worker. */
export interface Tally {
  runs: number;
  steps: number;
  virtualMs: number;
  readonly checks: Record<string, number>;
  readonly reached: Record<string, number>;
  readonly failures: { readonly seed: number; readonly violations: readonly string[] }[];
}

export function emptyTally(): Tally {
  return { runs: 0, steps: 0, virtualMs: 0, checks: {}, reached: {}, failures: [] };
}

export function addOutcome(tally: Tally, seed: number, outcome: Outcome): void {
  tally.runs += 1;
  tally.steps += outcome.steps;
  tally.virtualMs += outcome.virtualMs;
  for (const [name, count] of outcome.checks) tally.checks[name] = (tally.checks[name] ?? 0) + count;
  for (const [name, count] of outcome.reached) tally.reached[name] = (tally.reached[name] ?? 0) + count;
  if (outcome.violations.length > 0) tally.failures.push({ seed, violations: outcome.violations.slice(0, 20) });
}

export function addTally(sum: Tally, part: Tally): void {
  sum.runs += part.runs;
  sum.steps += part.steps;
  sum.virtualMs += part.virtualMs;
  for (const [name, count] of Object.entries(part.checks)) sum.checks[name] = (sum.checks[name] ?? 0) + count;
  for (const [name, count] of Object.entries(part.reached)) sum.reached[name] = (sum.reached[name] ?? 0) + count;
  sum.failures.push(...part.failures);
}
