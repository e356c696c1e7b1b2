import clsx from 'clsx';
import { type CSSProperties, memo, type ReactNode, useMemo, useState } from 'react';
import { CopyButton } from '../ui/copy-button.tsx';
import { plural } from './call-title.ts';
import { cleanTerminalText, lastLines, type TerminalSpan, terminalSpans } from './terminal-text.ts';

const FIRST_LINES = 14;
/** Even on demand a page of text stays drawable; what is above it can be copied. */
const MOST_LINES = 20_000;

interface TerminalProps {
  readonly text: string;
  /** Bytes that are no longer kept before `text`. */
  readonly droppedBytes?: number;
  readonly isLive?: boolean;
  readonly label: string;
}

/** Output as a terminal shows it, the last lines first and the rest on demand. The cost of a growing output is that of what is shown. */
export const Terminal = memo(function Terminal({ text, droppedBytes = 0, isLive = false, label }: TerminalProps): ReactNode {
  const [isWhole, setWhole] = useState(false);
  const tail = useMemo(() => lastLines(text, isWhole ? MOST_LINES : FIRST_LINES), [text, isWhole]);
  const spans = useMemo(() => terminalSpans(tail.text), [tail.text]);
  const isEmpty = text.trim() === '';
  return (
    <div className="group/terminal relative rounded-lg border border-line bg-panel">
      {(tail.hiddenLines > 0 || droppedBytes > 0) && (
        <div className="flex flex-wrap items-center gap-x-3 border-b border-line px-3 py-1 text-xs text-faint">
          {tail.hiddenLines > 0 && (
            <button type="button" className="rounded font-medium text-accent-ink hover:underline" onClick={() => setWhole(true)}>
              Show {plural(tail.hiddenLines, 'earlier line')}
            </button>
          )}
          {droppedBytes > 0 && <span>{plural(droppedBytes, 'byte')} before this are no longer kept</span>}
        </div>
      )}
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label={label}
        dir="ltr"
        className="scroll-quiet max-h-96 overflow-auto px-3 py-2 font-mono text-xs wrap-anywhere whitespace-pre-wrap"
      >
        {isEmpty ? <span className="text-faint">{isLive ? 'No output yet.' : 'No output.'}</span> : spans.map(drawSpan)}
        {isLive && <span aria-hidden className="ms-0.5 inline-block h-3.5 w-1.5 translate-y-0.5 animate-breathe bg-muted" />}
      </section>
      {!isEmpty && !isLive && (
        <div className="absolute end-1 top-1 rounded-lg bg-panel opacity-0 transition-opacity group-hover/terminal:opacity-100 focus-within:opacity-100">
          <CopyButton text={cleanTerminalText(text)} label="Copy output" className="size-6 pointer-coarse:size-8" />
        </div>
      )}
    </div>
  );
});

function drawSpan(span: TerminalSpan, index: number): ReactNode {
  const isPlain = Object.keys(span).length === 1;
  if (isPlain) return span.text;
  const className = clsx(
    span.isBold && 'font-semibold',
    span.isDim && 'opacity-70',
    span.isItalic && 'italic',
    span.isUnderlined && 'underline',
    span.isInverse && 'bg-text text-bg',
  );
  return (
    <span key={index} className={className} style={coloursOf(span)}>
      {span.text}
    </span>
  );
}

function coloursOf(span: TerminalSpan): CSSProperties {
  return {
    ...(span.foreground !== undefined && { color: cssColour(span.foreground) }),
    // A background is tinted, so that whatever text stands on it stays readable in both themes.
    ...(span.background !== undefined && { background: `color-mix(in srgb, ${cssColour(span.background)} 22%, transparent)` }),
  };
}

function cssColour(colour: string): string {
  // True colours are chosen for a dark screen: pull them towards the text colour until they can be read on ours.
  return /^\d$/.test(colour) ? `var(--ansi-${colour})` : `color-mix(in oklab, rgb(${colour}) 62%, var(--text))`;
}
