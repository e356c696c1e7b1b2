import type { Call } from '@tendon/protocol';
import { type ReactNode, useMemo } from 'react';
import { Notice } from '../ui/notice.tsx';
import { textField } from './call-input.ts';
import { resultParts } from './call-state.ts';
import { plural } from './call-title.ts';
import { filesOfUnifiedDiff, linesOfUnifiedDiff } from './diff-lines.ts';
import { DiffView } from './diff-view.tsx';
import { FileChanges } from './file-changes.tsx';
import { Terminal } from './terminal.tsx';
import { UndoResult } from './undo-view.tsx';

/** What came of a call: its diff, or its text in terminal colours, and its images. */
export function CallResult({ call }: { call: Call }): ReactNode {
  const parts = useMemo(() => resultParts(call), [call]);
  const meta = call.result?.meta;
  const diff = meta?.diff;
  const isPatch = call.tool === 'apply_patch';
  const diffLines = useMemo(() => (diff === undefined || isPatch ? undefined : linesOfUnifiedDiff(diff)), [diff, isPatch]);
  const patched = useMemo(() => (diff === undefined || !isPatch ? undefined : filesOfUnifiedDiff(diff)), [diff, isPatch]);
  if (!call.result) return null;
  return (
    <div className="space-y-2">
      {call.result.error && <Notice>{call.result.error.message}</Notice>}
      {meta?.undone ? (
        <UndoResult undone={meta.undone} />
      ) : patched ? (
        <FileChanges files={patched} hasNumbers />
      ) : diffLines ? (
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
