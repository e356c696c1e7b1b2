import type { Call } from '@tendon/protocol';
import clsx from 'clsx';
import { memo, type ReactNode, useMemo } from 'react';
import { countHidden } from '../approvals/hidden-characters.ts';
import { Notice } from '../ui/notice.tsx';
import { ScrollBox } from '../ui/scroll-box.tsx';
import { VisibleText } from '../ui/visible-code.tsx';
import { type InputField, type InputView, inputView, lineCount, shownText } from './call-input.ts';
import { plural } from './call-title.ts';
import { linesOfEdit } from './diff-lines.ts';
import { DiffView } from './diff-view.tsx';
import { fieldNames } from './field-names.ts';
import { FileChanges } from './file-changes.tsx';
import { UndoPreview } from './undo-view.tsx';

/** Exactly what would run, in full: it scrolls, wraps and names hidden characters, and leaves no field out. */
export const InputDisplay = memo(function InputDisplay({ call }: { call: Call }): ReactNode {
  const view = useMemo(() => inputView(call.tool, call.input), [call.tool, call.input]);
  const hidden = useMemo(() => countHidden(shownText(view)), [view]);
  return (
    <div className="space-y-2">
      {hidden > 0 && <Notice tone="warn">{plural(hidden, 'hidden character')} in this input, marked below by code point.</Notice>}
      <MainPart view={view} call={call} />
      {view.rest.length > 0 && <Fields fields={view.rest} names={fieldNames(call.tool, view.rest)} />}
    </div>
  );
});

function MainPart({ view, call }: { view: InputView; call: Call }): ReactNode {
  if (view.kind === 'command') return <ExactText text={view.text} label="Exact command" prompt="$" />;
  if (view.kind === 'content') return <ExactText text={view.text} label={`Content of ${view.path}`} path={view.path} />;
  if (view.kind === 'edit') return <EditPreview edit={view} path={view.path} />;
  if (view.kind === 'edits') return <EditList view={view} />;
  if (view.kind === 'undo') return <UndoPreview view={view} call={call} />;
  if (view.kind === 'patch') return <FileChanges files={view.files} hasNumbers={false} />;
  return null;
}

interface EditPreviewProps {
  readonly edit: { readonly oldText: string; readonly newText: string };
  readonly path: string;
}

function EditPreview({ edit, path }: EditPreviewProps): ReactNode {
  const lines = useMemo(() => linesOfEdit(edit.oldText, edit.newText), [edit.oldText, edit.newText]);
  return <DiffView lines={lines} path={path} hasNumbers={false} />;
}

/** In the order in which they are made, each as a diff of its own. */
function EditList({ view }: { view: Extract<InputView, { kind: 'edits' }> }): ReactNode {
  return (
    <ol className="space-y-2">
      {view.edits.map((edit, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the place in the list is what an edit is known by
        <li key={index} className="space-y-1">
          <p className="text-xs text-faint">
            Edit {index + 1} of {view.edits.length}
          </p>
          <EditPreview edit={edit} path={view.path} />
          {edit.rest.length > 0 && <Fields fields={edit.rest} />}
        </li>
      ))}
    </ol>
  );
}

interface ExactTextProps {
  readonly text: string;
  readonly label: string;
  readonly prompt?: string;
  readonly path?: string;
}

function ExactText({ text, label, prompt, path }: ExactTextProps): ReactNode {
  const lines = lineCount(text);
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-panel">
      {(path !== undefined || lines > 12) && (
        <div className="flex gap-3 border-b border-line px-3 py-1.5 text-xs text-faint">
          <span dir="ltr" className="min-w-0 flex-1 font-mono text-text wrap-anywhere">
            {path !== undefined && <VisibleText text={path} />}
          </span>
          <span className="shrink-0 tabular-nums">{plural(lines, 'line')}</span>
        </div>
      )}
      <ScrollBox label={label} className="flex max-h-80 gap-2 px-3 py-2 font-mono text-[0.8125rem] leading-5">
        {prompt && (
          <span aria-hidden className="text-faint select-none">
            {prompt}
          </span>
        )}
        <pre className="min-w-0 flex-1 font-mono wrap-anywhere whitespace-pre-wrap">
          {text === '' ? <span className="text-faint">empty</span> : <VisibleText text={text} />}
        </pre>
      </ScrollBox>
    </div>
  );
}

function Fields({ fields, names }: { fields: readonly InputField[]; names?: readonly string[] }): ReactNode {
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-panel">
      <ScrollBox className="max-h-80 px-3 py-2 font-mono text-xs">
        <dl className="space-y-1">
          {fields.map((field, index) => (
            <div key={field.name} className="flex flex-wrap gap-x-3">
              <dt className={clsx('max-w-full text-faint wrap-anywhere', names && 'font-sans')} title={names && field.name}>
                <VisibleText text={names?.[index] ?? field.name} />
              </dt>
              <dd className="min-w-0 flex-1 basis-40 wrap-anywhere whitespace-pre-wrap">
                <VisibleText text={field.value} />
              </dd>
            </div>
          ))}
        </dl>
      </ScrollBox>
    </div>
  );
}
