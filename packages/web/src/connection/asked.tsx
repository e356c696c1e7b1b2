import type { ReactNode } from 'react';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import type { Answer } from './use-answer.ts';

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
