import { styleText } from 'node:util';

/** The only place that writes to the terminal by itself. Answers go to standard output, everything about the run to standard error. */
export function print(line: string): void {
  console.log(line);
}

export function note(line: string): void {
  console.error(line);
}

/** One line for what ends a command. It may hold a server's words: what acts on a terminal is shown instead. */
export function fail(message: string): void {
  const line = message.replace(/\s*[\r\n]+\s*/g, ' ').replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
  console.error(`${colour('red', 'error:')} ${line}`);
}

export function colour(name: Parameters<typeof styleText>[0], text: string): string {
  return styleText(name, text, { stream: process.stderr });
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
