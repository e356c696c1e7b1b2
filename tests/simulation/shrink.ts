import type { Plan, PlannedStep } from './plan.ts';
import { runPlan } from './run-plan.ts';

const MOST_TRIES = 400;

/** The invariant that a violation is about, for example `I18`. */
export function invariantOf(violation: string): string {
  return violation.split(' ')[0] ?? '';
}

/** Takes steps out of a plan for as long as the same invariant is still broken: what is left tells the story. */
export async function shrink(plan: Plan, invariant: string): Promise<Plan> {
  let best = plan;
  let tries = 0;
  const stillFails = async (steps: readonly PlannedStep[]): Promise<boolean> => {
    tries += 1;
    const { violations } = await runPlan({ ...best, steps });
    return violations.some((violation) => invariantOf(violation) === invariant);
  };
  for (let size = Math.ceil(plan.steps.length / 2); size >= 1 && tries < MOST_TRIES; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.steps.length && tries < MOST_TRIES; ) {
      const without = best.steps.toSpliced(from, size);
      if (await stillFails(without)) best = { ...best, steps: without };
      else from += size;
    }
  }
  return best;
}
