import { memo, type ReactNode, useEffect, useState } from 'react';
import { CopyButton } from '../ui/copy-button.tsx';
import type { CodeSpan } from './highlight.ts';

interface CodeBlockProps {
  readonly code: string;
  readonly language: string;
  /** Colours wait until the block is finished: colouring half a block at every delta would cost more and flicker. */
  readonly isLive: boolean;
}

export const CodeBlock = memo(function CodeBlock({ code, language, isLive }: CodeBlockProps): ReactNode {
  const spans = useHighlight(code, language, isLive);
  return (
    <div className="group/code overflow-hidden rounded-xl border border-line bg-panel">
      <div className="flex h-8 items-center justify-between border-b border-line ps-3 pe-1 text-xs text-faint">
        <span>{language === '' ? 'text' : language}</span>
        <CopyButton text={code} label="Copy code" className="size-7" />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <pre tabIndex={0} dir="ltr" className="scroll-quiet overflow-x-auto px-3.5 py-3 font-mono text-[0.8125rem] leading-[1.35rem]">
        <code>
          {spans
            ? spans.map((span, index) =>
                span.className === undefined ? (
                  span.text
                ) : (
                  // biome-ignore lint/suspicious/noArrayIndexKey: spans of one text never move
                  <span key={index} className={span.className}>
                    {span.text}
                  </span>
                ),
              )
            : code}
        </code>
      </pre>
    </div>
  );
});

function useHighlight(code: string, language: string, isLive: boolean): readonly CodeSpan[] | undefined {
  const [done, setDone] = useState<{ code: string; spans: readonly CodeSpan[] }>();
  useEffect(() => {
    if (isLive || language === '') return undefined;
    let isCurrent = true;
    // Without the colours (offline, an old deployment) the code itself is still there.
    void import('./highlight.ts').then(
      ({ highlight }) => isCurrent && setDone({ code, spans: highlight(code, language) }),
      () => undefined,
    );
    return () => {
      isCurrent = false;
    };
  }, [code, language, isLive]);
  return done?.code === code ? done.spans : undefined;
}
