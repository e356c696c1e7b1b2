import type { UndoneFile } from '@tendon/protocol';
import { Check, CircleMinus, FileX2, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { VisibleText } from '../ui/visible-code.tsx';
import type { InputView } from './call-input.ts';

/** Which files are to be put back, and what else the turn did, which is not undone. All of both is there to be scrolled to. */
export function UndoPreview({ view }: { view: Extract<InputView, { kind: 'undo' }> }): ReactNode {
  return (
    <div className="space-y-3">
      <section aria-label="Files to put back" className="space-y-1.5">
        <p className="text-xs text-muted">They go back to what they were before this turn. A file that was changed since is left alone.</p>
        <PathList>
          {view.files.map((path) => (
            <li key={path} className="px-3 py-1">
              <VisibleText text={path} />
            </li>
          ))}
        </PathList>
      </section>
      {view.others.length > 0 && (
        <section aria-label="Not undone" className="space-y-1.5">
          <p className="text-xs text-warn">Not undone: what else the turn did.</p>
          <PathList>
            {view.others.map(({ tool, what }, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: the same command may have run twice
              <li key={index} className="flex gap-3 px-3 py-1">
                <span className="shrink-0 text-faint">
                  <VisibleText text={tool} />
                </span>
                <span className="min-w-0 wrap-anywhere whitespace-pre-wrap">
                  <VisibleText text={what} />
                </span>
              </li>
            ))}
          </PathList>
        </section>
      )}
    </div>
  );
}

function PathList({ children }: { children: ReactNode }): ReactNode {
  return (
    <ul
      dir="ltr"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reachable by keyboard
      tabIndex={0}
      className="scroll-quiet max-h-60 divide-y divide-line overflow-auto rounded-lg border border-line bg-panel font-mono text-xs wrap-anywhere"
    >
      {children}
    </ul>
  );
}

const OUTCOMES: Readonly<Record<UndoneFile['outcome'], { readonly words: string; readonly icon: typeof Check; readonly tone: string }>> = {
  restored: { words: 'Put back', icon: Check, tone: 'text-good' },
  removed: { words: 'Removed, because the turn had made it', icon: FileX2, tone: 'text-good' },
  unchanged: { words: 'As before already', icon: Check, tone: 'text-faint' },
  left: { words: 'Left alone', icon: CircleMinus, tone: 'text-warn' },
  impossible: { words: 'Not possible', icon: TriangleAlert, tone: 'text-bad' },
};

/** What became of each file. */
export function UndoResult({ undone }: { undone: readonly UndoneFile[] }): ReactNode {
  return (
    <ul aria-label="What became of each file" className="divide-y divide-line rounded-lg border border-line bg-panel text-xs">
      {undone.map((file) => {
        const { words, icon: Icon, tone } = OUTCOMES[file.outcome];
        return (
          <li key={file.path} className="flex gap-2.5 px-3 py-1.5">
            <Icon aria-hidden className={`mt-0.5 size-3.5 shrink-0 ${tone}`} />
            <span className="min-w-0 flex-1">
              <bdi dir="ltr" className="font-mono wrap-anywhere">
                <VisibleText text={file.path} />
              </bdi>
              <span className="block text-muted wrap-anywhere">
                {words}
                {file.why !== undefined && (
                  <>
                    : <VisibleText text={file.why} />
                  </>
                )}
              </span>
            </span>
          </li>
        );
      })}
    </ul>
  );
}
