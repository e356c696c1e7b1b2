import { useAgentClient, useStore } from '@tendon/client/react';
import clsx from 'clsx';
import type { ReactNode } from 'react';
import { connectionText } from './connection-text.ts';

const TONES = { good: 'bg-good', wait: 'bg-warn-dot animate-breathe', bad: 'bg-bad' };

/** The quiet sign that all is well, or not. The bar says more when there is more to say. */
export function ConnectionDot({ isLabelled }: { isLabelled: boolean }): ReactNode {
  const state = useStore(useAgentClient().connection);
  const { tone, word } = connectionText(state, Date.now());
  return (
    <span className="inline-flex items-center gap-2 text-xs text-muted" title={word}>
      <span aria-hidden className={clsx('size-2 rounded-full', TONES[tone])} />
      <span className={clsx(!isLabelled && 'sr-only')}>{word}</span>
    </span>
  );
}
