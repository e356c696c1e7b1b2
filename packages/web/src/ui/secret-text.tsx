import type { ReactNode } from 'react';
import { CopyButton } from './copy-button.tsx';

/** A key or a link that is shown once, to be copied. */
export function SecretText({ text, label }: { text: string; label: string }): ReactNode {
  return (
    <div className="flex items-center gap-2 rounded-lg border border-line bg-panel ps-3">
      <code dir="ltr" className="min-w-0 flex-1 py-2 font-mono text-xs wrap-anywhere">
        {text}
      </code>
      <CopyButton text={text} label={label} />
    </div>
  );
}
