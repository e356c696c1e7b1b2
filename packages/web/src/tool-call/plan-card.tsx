import type { Call } from '@tendon/protocol';
import clsx from 'clsx';
import { Circle, CircleCheck, CircleDot } from 'lucide-react';
import type { ReactNode } from 'react';
import { planSteps, type ShownStep } from './call-title.ts';

const ICONS = { todo: Circle, doing: CircleDot, done: CircleCheck };
const COLOURS = { todo: 'text-faint', doing: 'text-accent-ink', done: 'text-good' };
const WORDS = { todo: 'to do', doing: 'in progress', done: 'done' };

/** The agent's plan, as a checklist. */
export function PlanCard({ call }: { call: Call }): ReactNode {
  const steps = planSteps(call.input);
  const done = steps.filter((step) => step.status === 'done').length;
  return (
    <section aria-label="Plan" className="rounded-xl border border-line bg-raised px-4 py-3">
      <div className="mb-2 flex items-center justify-between text-xs text-faint">
        <span className="font-medium text-muted">Plan</span>
        <span className="tabular-nums">
          {done} of {steps.length} done
        </span>
      </div>
      <ol className="space-y-1.5">
        {steps.map((step, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a plan is replaced whole
          <PlanStepLine key={index} step={step} />
        ))}
      </ol>
    </section>
  );
}

function PlanStepLine({ step }: { step: ShownStep }): ReactNode {
  const Icon = ICONS[step.status];
  return (
    <li className={clsx('flex gap-2.5 text-sm', step.status === 'done' && 'text-muted')}>
      <Icon aria-hidden className={clsx('mt-0.5 size-4 shrink-0', COLOURS[step.status])} />
      <span className={clsx('min-w-0 wrap-anywhere', step.status === 'doing' && 'font-medium')}>
        {step.title}
        <span className="sr-only">, {WORDS[step.status]}</span>
      </span>
    </li>
  );
}
