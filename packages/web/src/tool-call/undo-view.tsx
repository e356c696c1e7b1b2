import { type Call, tracesOf, type UndoneFile } from '@tendon/protocol';
import { Check, CircleMinus, FileX2, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { useView } from '../app/session-context.tsx';
import { ScrollBox } from '../ui/scroll-box.tsx';
import { VisibleText } from '../ui/visible-code.tsx';
import type { InputView } from './call-input.ts';
import { callTitle, titleText } from './call-title.ts';
import { undoWords } from './undo-words.ts';

interface UndoPreviewProps {
  readonly view: Extract<InputView, { kind: 'undo' }>;
  readonly call: Call;
}

/** Which files are put back, which changes of the turn that are, and what else it did, which is not undone. All of it is there to be scrolled to. */
export function UndoPreview({ view, call }: UndoPreviewProps): ReactNode {
  const words = undoWords(call);
  const named = new Set(call.result?.meta?.undone?.map(({ path }) => path));
  // What became of them says which they were.
  const hasFiles = !view.files.every((path) => named.has(path));
  return (
    <div className="space-y-3">
      <section aria-label={words.filesHeading} className="space-y-1.5">
        <p className="text-xs text-muted">{words.files}</p>
        {hasFiles && (
          <PathList>
            {view.files.map((path) => (
              <li key={path} className="px-3 py-1">
                <VisibleText text={path} />
              </li>
            ))}
          </PathList>
        )}
      </section>
      <section aria-label={words.changesHeading} className="space-y-1.5">
        <p className="text-xs text-muted">{words.changesHeading}</p>
        <PathList>
          {view.calls.map((id) => (
            <Change key={id} id={id} />
          ))}
        </PathList>
      </section>
      {view.others.length > 0 && (
        <section aria-label={words.othersHeading} className="space-y-1.5">
          <p className="text-xs text-warn">{words.othersHeading}</p>
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

/** A call by its tool and its files. Its id is what the machine goes by, so it is there to be read too. */
function Change({ id }: { id: string }): ReactNode {
  const call = useView((view) => view.calls[id]);
  const traces = call && tracesOf(call);
  return (
    <li className="flex gap-3 px-3 py-1">
      <span className="shrink-0 text-faint">
        <VisibleText text={call?.tool ?? 'unknown'} />
      </span>
      <span className="min-w-0 flex-1">
        {traces?.kind === 'files' ? (
          traces.files.map((path) => (
            <span key={path} className="block">
              <VisibleText text={path} />
            </span>
          ))
        ) : (
          <span className="block font-sans">{call ? titleText(callTitle(call)) : 'A call that this page has not loaded'}</span>
        )}
        <span className="block text-[0.6875rem] text-faint">{id}</span>
      </span>
    </li>
  );
}

function PathList({ children }: { children: ReactNode }): ReactNode {
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-panel">
      <ScrollBox className="max-h-60 font-mono text-xs wrap-anywhere">
        <ul className="divide-y divide-line">{children}</ul>
      </ScrollBox>
    </div>
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
