import clsx from 'clsx';
import { Columns2, Rows3 } from 'lucide-react';
import { memo, type ReactNode, useMemo, useState } from 'react';
import { IconButton } from '../ui/button.tsx';
import { ScrollBox } from '../ui/scroll-box.tsx';
import { VisibleText } from '../ui/visible-code.tsx';
import type { DiffLine } from './diff-line.ts';
import { type SplitRow, splitRows } from './diff-lines.ts';

interface DiffViewProps {
  readonly lines: readonly DiffLine[];
  readonly path: string;
  /** Line numbers are left out where the file has not been read. */
  readonly hasNumbers?: boolean;
}

/** A diff, inline or side by side. All of it can be scrolled to; nothing is folded away. */
export const DiffView = memo(function DiffView({ lines, path, hasNumbers = true }: DiffViewProps): ReactNode {
  const [isSplit, setSplit] = useState(false);
  const added = lines.filter((line) => line.kind === 'added').length;
  const removed = lines.filter((line) => line.kind === 'removed').length;
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-raised">
      <div className="flex items-center gap-3 border-b border-line bg-panel ps-3 pe-3 text-xs sm:pe-1">
        <span dir="ltr" className="min-w-0 flex-1 py-2 font-mono wrap-anywhere">
          <VisibleText text={path} />
        </span>
        <span className="shrink-0 font-mono tabular-nums">
          <span className="text-good">+{added}</span> <span className="text-bad">−{removed}</span>
        </span>
        <IconButton label={isSplit ? 'Show inline' : 'Show side by side'} className="size-7 max-sm:hidden" onClick={() => setSplit(!isSplit)}>
          {isSplit ? <Rows3 /> : <Columns2 />}
        </IconButton>
      </div>
      <ScrollBox label={`Changes to ${path}`} className="max-h-[26rem] font-mono text-xs">
        {isSplit ? <SplitDiff lines={lines} /> : <InlineDiff lines={lines} hasNumbers={hasNumbers} />}
      </ScrollBox>
    </div>
  );
});

function InlineDiff({ lines, hasNumbers }: { lines: readonly DiffLine[]; hasNumbers: boolean }): ReactNode {
  return (
    <table className="w-full border-collapse">
      <tbody>
        {lines.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the lines of one diff never move
          <tr key={index} className={tint(line)}>
            {line.kind === 'gap' ? (
              <GapCell text={line.text} span={4} />
            ) : (
              <>
                {hasNumbers && <NumberCell value={line.oldLine} />}
                {hasNumbers && <NumberCell value={line.newLine} />}
                <SignCell kind={line.kind} />
                <TextCell text={line.text} />
              </>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function SplitDiff({ lines }: { lines: readonly DiffLine[] }): ReactNode {
  const rows = useMemo(() => splitRows(lines), [lines]);
  return (
    <table className="w-full table-fixed border-collapse">
      <tbody>
        {rows.map((row, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the rows of one diff never move
          <tr key={index}>{row.gap ? <GapCell text={row.gap.text} span={2} /> : <FacingCells row={row} />}</tr>
        ))}
      </tbody>
    </table>
  );
}

function FacingCells({ row }: { row: SplitRow }): ReactNode {
  return (
    <>
      <td className={clsx('w-1/2 border-e border-line px-3 align-top wrap-anywhere whitespace-pre-wrap', row.left ? tint(row.left) : 'bg-panel')}>
        {row.left && <VisibleText text={row.left.text} />}
      </td>
      <td className={clsx('w-1/2 px-3 align-top wrap-anywhere whitespace-pre-wrap', row.right ? tint(row.right) : 'bg-panel')}>
        {row.right && <VisibleText text={row.right.text} />}
      </td>
    </>
  );
}

function tint(line: DiffLine): string {
  if (line.kind === 'added') return 'bg-good-soft';
  if (line.kind === 'removed') return 'bg-bad-soft';
  return '';
}

function NumberCell({ value }: { value: number | undefined }): ReactNode {
  return <td className="w-1 px-2 text-end align-top text-faint tabular-nums select-none">{value}</td>;
}

function SignCell({ kind }: { kind: DiffLine['kind'] }): ReactNode {
  const sign = kind === 'added' ? '+' : kind === 'removed' ? '−' : '';
  return <td className={clsx('w-5 ps-2 align-top select-none', kind === 'added' ? 'text-good' : 'text-bad')}>{sign}</td>;
}

function TextCell({ text }: { text: string }): ReactNode {
  return (
    <td className="pe-3 align-top wrap-anywhere whitespace-pre-wrap">
      <VisibleText text={text} />
    </td>
  );
}

function GapCell({ text, span }: { text: string; span: number }): ReactNode {
  return (
    <td colSpan={span} className="border-y border-line bg-panel px-3 py-0.5 text-faint">
      {text === '' ? '⋯' : text}
    </td>
  );
}
