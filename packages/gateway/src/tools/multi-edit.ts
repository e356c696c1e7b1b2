import type { ToolInput } from '@tendon/protocol';
import { applyEdit, type Change, changeFile } from './edit-file.ts';
import { ToolFault } from './faults.ts';
import type { FileWork } from './file-work.ts';
import type { LocalTool } from './tool.ts';

export function multiEditTool(files: FileWork): LocalTool<'multi_edit'> {
  return {
    name: 'multi_edit',
    run: (input, context) => changeFile(files, context, { path: input.path, change: (text) => applyEdits(text, input) }),
  };
}

/** Pure: every edit in order, each on the text that the one before has left. Errors: `ToolFault` that says which edit cannot be made; then none is. */
export function applyEdits(text: string, { path, edits }: ToolInput<'multi_edit'>): Change {
  const lines = new Set<number>();
  let changed = text;
  for (const [index, edit] of edits.entries()) {
    try {
      const step = applyEdit(changed, { path, ...edit });
      changed = step.text;
      for (const line of step.lines) lines.add(line);
    } catch (error) {
      if (!(error instanceof ToolFault)) throw error;
      const after = index === 0 ? '' : ' It is looked for in the text that the edits before it leave.';
      throw new ToolFault(error.code, `Edit ${index + 1} of ${edits.length}: ${error.message}${after} None of the edits was made.`, { cause: error });
    }
  }
  return { text: changed, lines: [...lines].sort((a, b) => a - b) };
}
