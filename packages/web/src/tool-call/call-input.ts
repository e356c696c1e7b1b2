import { type OtherWork, PERSON_TOOLS, tryParse } from '@tendon/protocol';
import { filesOfPatch, type ShownFile } from './patch-files.ts';

/** Reads of a tool's input, which is whatever a model wrote: nothing about its shape is believed. */

export function field(input: unknown, name: string): unknown {
  if (typeof input !== 'object' || input === null || !Object.hasOwn(input, name)) return undefined;
  return (input as Record<string, unknown>)[name];
}

export function textField(input: unknown, name: string): string | undefined {
  const value = field(input, name);
  return typeof value === 'string' ? value : undefined;
}

export function numberField(input: unknown, name: string): number | undefined {
  const value = field(input, name);
  return typeof value === 'number' ? value : undefined;
}

/** Lines as an editor counts them: a newline at the end opens no further one. */
export function lineCount(text: string): number {
  if (text === '') return 0;
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

export type InputView =
  | { readonly kind: 'command'; readonly text: string; readonly rest: readonly InputField[] }
  | { readonly kind: 'edit'; readonly path: string; readonly oldText: string; readonly newText: string; readonly rest: readonly InputField[] }
  | { readonly kind: 'edits'; readonly path: string; readonly edits: readonly ShownEdit[]; readonly rest: readonly InputField[] }
  | { readonly kind: 'content'; readonly path: string; readonly text: string; readonly rest: readonly InputField[] }
  | { readonly kind: 'patch'; readonly patch: string; readonly files: readonly ShownFile[]; readonly rest: readonly InputField[] }
  | {
      readonly kind: 'undo';
      readonly calls: readonly string[];
      readonly files: readonly string[];
      readonly others: readonly OtherWork[];
      readonly rest: readonly InputField[];
    }
  | { readonly kind: 'fields'; readonly rest: readonly InputField[] };

/** One replacement of several; `rest` is whatever else stands with it. */
export interface ShownEdit {
  readonly oldText: string;
  readonly newText: string;
  readonly rest: readonly InputField[];
}

/** Undefined when there are none, or one of them is not as it should be: then all is shown as it came. */
export function editsOf(input: unknown): ShownEdit[] | undefined {
  const edits = field(input, 'edits');
  if (!Array.isArray(edits) || edits.length === 0) return undefined;
  const shown = edits.map((edit: unknown) => {
    const oldText = textField(edit, 'oldText');
    const newText = textField(edit, 'newText');
    return oldText === undefined || newText === undefined ? undefined : { oldText, newText, rest: restOf(edit, ['oldText', 'newText']) };
  });
  return shown.every((edit) => edit !== undefined) ? shown : undefined;
}

export interface InputField {
  readonly name: string;
  readonly value: string;
}

/**
 * How an input is shown before a decision: its main part in the form a person reads best, and every other field beside it.
 * No field is ever left out, whatever the model put there.
 */
export function inputView(tool: string, input: unknown): InputView {
  const command = textField(input, 'command');
  if (tool === 'bash' && command !== undefined) return { kind: 'command', text: command, rest: restOf(input, ['command']) };
  const path = textField(input, 'path');
  const oldText = textField(input, 'oldText');
  const newText = textField(input, 'newText');
  if (tool === 'edit_file' && path !== undefined && oldText !== undefined && newText !== undefined) {
    return { kind: 'edit', path, oldText, newText, rest: restOf(input, ['path', 'oldText', 'newText']) };
  }
  const edits = editsOf(input);
  if (tool === 'multi_edit' && path !== undefined && edits) return { kind: 'edits', path, edits, rest: restOf(input, ['path', 'edits']) };
  const content = textField(input, 'content');
  if (tool === 'write_file' && path !== undefined && content !== undefined) {
    return { kind: 'content', path, text: content, rest: restOf(input, ['path', 'content']) };
  }
  const patch = textField(input, 'patch');
  const files = tool === 'apply_patch' && patch !== undefined ? filesOfPatch(patch) : undefined;
  if (patch !== undefined && files) return { kind: 'patch', patch, files, rest: restOf(input, ['patch']) };
  if (tool === 'undo_changes') {
    const undo = tryParse(PERSON_TOOLS.undo_changes.input, input);
    if (undo.success)
      return {
        kind: 'undo',
        calls: undo.data.calls,
        files: undo.data.files,
        others: undo.data.others,
        rest: restOf(input, ['files', 'others', 'calls']),
      };
  }
  return { kind: 'fields', rest: restOf(input, []) };
}

function restOf(input: unknown, shown: readonly string[]): InputField[] {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return [{ name: 'input', value: asText(input) }];
  return Object.entries(input)
    .filter(([name]) => !shown.includes(name))
    .map(([name, value]) => ({ name, value: asText(value) }));
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? 'undefined');
}

/** Every character that the view shows. */
export function shownText(view: InputView): string {
  const fields = view.rest.flatMap((item) => [item.name, item.value]);
  if (view.kind === 'command') fields.push(view.text);
  if (view.kind === 'patch') fields.push(view.patch);
  if (view.kind === 'undo') fields.push(...view.calls, ...view.files, ...view.others.flatMap(({ tool, what }) => [tool, what]));
  if (view.kind === 'content') fields.push(view.path, view.text);
  if (view.kind === 'edits')
    fields.push(view.path, ...view.edits.flatMap((edit) => [edit.oldText, edit.newText, ...edit.rest.flatMap((item) => [item.name, item.value])]));
  if (view.kind === 'edit') fields.push(view.path, view.oldText, view.newText);
  return fields.join('\n');
}
