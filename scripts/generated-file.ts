import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Writes a generated file, or with `--check` says whether it is the one that would be written. */
export function writeOrCheck(path: string, content: string): void {
  const target = join(root, path);
  if (!process.argv.includes('--check')) writeFileSync(target, content);
  else if (read(target) !== content) {
    console.log(`${path} is out of date. Run: node ${relative(root, process.argv[1] ?? '')}`);
    process.exitCode = 1;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
