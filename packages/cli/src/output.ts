import { styleText } from 'node:util';
import { visibleText } from './visible-text.ts';

/*
 * The only place that writes to the terminal by itself. Answers go to standard output, everything about the run to standard error. All of it may
 * hold words of a server, a model or a tool, so all of it goes through `shown`: what would act on a terminal or hide in it is shown instead.
 */

type Format = Parameters<typeof styleText>[0];

/** Text in a colour, where the stream that it goes to has colours. Escape sequences inside a text never reach a terminal. */
export interface Coloured {
  readonly format: Format;
  readonly text: string;
}

export type Piece = string | Coloured;

export function print(...pieces: readonly Piece[]): void {
  console.log(shown(process.stdout, pieces));
}

export function note(...pieces: readonly Piece[]): void {
  console.error(shown(process.stderr, pieces));
}

/** Calls back when nobody takes what goes to standard output any more, as behind `| head`. What is said from then on is lost, and ends nothing. */
export function whenUnread(task: () => void): void {
  process.stdout.on('error', task);
}

/** Text as it comes, to standard output; its lines end where it says so. */
export function write(text: string): void {
  process.stdout.write(shown(process.stdout, [text]));
}

/** One line for what ends a command. */
export function fail(message: string): void {
  note(colour('red', 'error:'), ` ${oneLine(message)}`);
}

export function colour(format: Format, text: string): Coloured {
  return { format, text };
}

/** For what has its place in a line: it cannot begin another one. */
export function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ');
}

function shown(stream: NodeJS.WriteStream, pieces: readonly Piece[]): string {
  return pieces.map((piece) => (typeof piece === 'string' ? visibleText(piece) : styleText(piece.format, visibleText(piece.text), { stream }))).join('');
}

/** Columns, padded to the widest entry. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
