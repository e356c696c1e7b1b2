import type { Call } from '@tendon/protocol';
import { lineCount, textField } from './call-input.ts';

/**
 * The diff of what was done says all that was asked for, with the lines around it: then the input is not shown once more. That of a written
 * file does so where every line of it is new; of a file that was replaced it leaves out what has stayed.
 */
export function isShownByResult({ tool, input, result }: Call): boolean {
  const meta = result?.meta;
  if (meta?.diff === undefined) return false;
  if (tool !== 'write_file') return ['edit_file', 'multi_edit', 'apply_patch'].includes(tool);
  const lines = lineCount(textField(input, 'content') ?? '');
  return lines > 0 && meta.removed === 0 && meta.added === lines;
}
