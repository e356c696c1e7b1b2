import clsx from 'clsx';
import { CircleAlert } from 'lucide-react';
import type { ReactNode } from 'react';

interface NoticeProps {
  readonly tone?: 'bad' | 'warn';
  readonly children: ReactNode;
  readonly action?: ReactNode;
}

/** An error or a warning, standing where it happened. */
export function Notice({ tone = 'bad', children, action }: NoticeProps): ReactNode {
  return (
    <div
      role={tone === 'bad' ? 'alert' : undefined}
      className={clsx(
        'flex flex-wrap items-center gap-x-3 gap-y-2 rounded-xl border px-3 py-2 text-sm',
        tone === 'bad' ? 'border-bad-line bg-bad-soft text-bad' : 'border-warn-line bg-warn-soft text-warn',
      )}
    >
      <div className="flex min-w-0 flex-1 basis-60 gap-x-3">
        <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
        <div className="min-w-0 flex-1 wrap-anywhere">{children}</div>
      </div>
      {action}
    </div>
  );
}

interface EmptyStateProps {
  readonly icon: ReactNode;
  readonly title: string;
  readonly children?: ReactNode;
}

export function EmptyState({ icon, title, children }: EmptyStateProps): ReactNode {
  return (
    <div className="mx-auto flex max-w-md flex-col items-center gap-3 px-6 py-16 text-center">
      <div aria-hidden className="flex size-11 items-center justify-center rounded-2xl bg-bubble text-muted [&_svg]:size-5">
        {icon}
      </div>
      <h2 className="text-lg font-semibold">{title}</h2>
      <div className="space-y-3 text-sm text-muted">{children}</div>
    </div>
  );
}
