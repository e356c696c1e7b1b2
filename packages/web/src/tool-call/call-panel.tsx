import clsx from 'clsx';
import type { ReactNode, RefObject } from 'react';
import { usePassesFocus } from './passed-focus.ts';

interface CallPanelProps {
  readonly callId: string;
  readonly label: string;
  readonly panel: RefObject<HTMLDivElement | null>;
  /** Of its border. */
  readonly className: string;
  readonly children: ReactNode;
}

/** What asks a person about one call, until it is answered. Keys and jumps bring the focus to it. */
export function CallPanel({ callId, label, panel, className, children }: CallPanelProps): ReactNode {
  usePassesFocus(callId, panel);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset's legend cannot be laid out like this heading
    <div
      ref={panel}
      role="group"
      aria-label={label}
      data-call={callId}
      tabIndex={-1}
      className={clsx('overflow-hidden rounded-xl border bg-raised shadow-sm outline-offset-2', className)}
    >
      {children}
    </div>
  );
}
