import type { Call } from '@tendon/protocol';
import { type ReactNode, useMemo } from 'react';
import { Notice } from '../ui/notice.tsx';
import { textField } from './call-input.ts';
import { resultParts } from './call-state.ts';
import { plural } from './call-title.ts';
import { linesOfUnifiedDiff } from './diff-lines.ts';
import { DiffView } from './diff-view.tsx';
import { Terminal } from './terminal.tsx';

/** What came of a call: its diff, or its text in terminal colours, and its images. */
export function CallResult({ call }: { call: Call }): ReactNode {
  const parts = useMemo(() => resultParts(call), [call]);
  const meta = call.result?.meta;
  const diff = meta?.diff;
  const diffLines = useMemo(() => (diff === undefined ? undefined : linesOfUnifiedDiff(diff)), [diff]);
  if (!call.result) return null;
  return (
    <div className="space-y-2">
      {call.result.error && <Notice>{call.result.error.message}</Notice>}
      {diffLines ? (
        <DiffView lines={diffLines} path={textField(call.input, 'path') ?? ''} />
      ) : (
        parts.text !== call.result.error?.message && (parts.text !== '' || parts.images.length === 0) && <Terminal text={parts.text} label="Output" />
      )}
      {parts.images.map((image) => (
        <img key={image.label} src={image.source} alt={image.label} className="max-h-96 max-w-full rounded-lg border border-line" />
      ))}
      {parts.others.map((name) => (
        <p key={name} className="text-xs text-faint wrap-anywhere">
          Not shown: {name}
        </p>
      ))}
      {meta?.truncatedBytes !== undefined && meta.truncatedBytes > 0 && (
        <p className="text-xs text-faint">{plural(meta.truncatedBytes, 'byte')} were cut out of the middle before the model and this page got it.</p>
      )}
    </div>
  );
}
