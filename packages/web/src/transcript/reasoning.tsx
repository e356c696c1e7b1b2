import clsx from 'clsx';
import { ChevronRight } from 'lucide-react';
import { memo, type ReactNode, useState } from 'react';

/** What the model thought before it spoke, folded. */
export const Reasoning = memo(function Reasoning({ text, isLive }: { text: string; isLive: boolean }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  if (text.trim() === '' && !isLive) return null;
  return (
    <div>
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
        className="-ms-1.5 inline-flex items-center gap-1.5 rounded-md px-1.5 py-0.5 text-sm text-muted hover:text-text"
      >
        <ChevronRight aria-hidden className={clsx('size-3.5 transition-transform rtl:rotate-180', isOpen && 'rotate-90!')} />
        <span className={clsx(isLive && 'animate-breathe')}>{isLive ? 'Thinking' : 'Thought about it'}</span>
      </button>
      {isOpen && (
        <div dir="auto" className="mt-1.5 border-s-2 border-line ps-4 text-sm text-muted wrap-anywhere whitespace-pre-wrap">
          {text}
        </div>
      )}
    </div>
  );
});
