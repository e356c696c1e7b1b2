import type { ReactNode } from 'react';
import { VisibleText } from '../ui/visible-code.tsx';
import { DiffView } from './diff-view.tsx';
import type { ShownFile } from './patch-files.ts';

/** A change to several files, each with a diff of its own, in order. */
export function FileChanges({ files, hasNumbers }: { files: readonly ShownFile[]; hasNumbers: boolean }): ReactNode {
  return (
    <ol className="space-y-2">
      {files.map((file, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the place in the list is what a file is known by
        <li key={index} className="space-y-1">
          <p dir="ltr" className="text-xs text-faint wrap-anywhere">
            {files.length > 1 && `File ${index + 1} of ${files.length}`}
            {files.length > 1 && file.words !== '' && ': '}
            <VisibleText text={file.words} />
          </p>
          <DiffView lines={file.lines} path={file.path} hasNumbers={hasNumbers} />
        </li>
      ))}
    </ol>
  );
}
