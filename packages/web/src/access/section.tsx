import type { ReactNode } from 'react';
import type { Answer } from '../connection/use-answer.ts';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';

interface SectionProps {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly action?: ReactNode;
  readonly children: ReactNode;
}

export function Section({ id, title, about, action, children }: SectionProps): ReactNode {
  return (
    <section aria-labelledby={id} className="space-y-3">
      <div className="flex flex-wrap items-end gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-60">
          <h2 id={id} className="text-base font-semibold">
            {title}
          </h2>
          <p className="text-sm text-muted">{about}</p>
        </div>
        {action}
      </div>
      {children}
    </section>
  );
}

/** A list that is asked for: a sign while it comes, and what to do when it does not. */
export function Asked<T>({ answer, reload, children }: { answer: Answer<T>; reload: () => void; children: (data: T) => ReactNode }): ReactNode {
  if (answer.status === 'ready') return children(answer.data);
  if (answer.status === 'loading') return <p className="py-3 text-sm text-faint">Loading…</p>;
  return (
    <Notice
      action={
        <Button size="sm" onClick={reload}>
          Try again
        </Button>
      }
    >
      {answer.error.message}
    </Notice>
  );
}
