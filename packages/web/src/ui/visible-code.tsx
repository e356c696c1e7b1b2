import { memo, type ReactNode, useMemo } from 'react';
import { visibleSegments } from '../approvals/hidden-characters.ts';

/** Text in which nothing hides: control, bidi and zero-width characters stand as marks with their code point. */
export const VisibleText = memo(function VisibleText({ text }: { text: string }): ReactNode {
  const segments = useMemo(() => visibleSegments(text), [text]);
  return segments.map((segment, index) =>
    segment.kind === 'text' ? (
      segment.text
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: segments of one text never move
      <mark key={index} className="hidden-mark" title={segment.name}>
        {segment.label}
      </mark>
    ),
  );
});
