import type { InputField } from './call-input.ts';

/** What the fields of a command are called before a person; a field's own name says little to one who has not written the tool. */
const COMMAND_FIELDS: Readonly<Record<string, string>> = {
  cwd: 'Folder',
  timeoutMs: 'Time limit (ms)',
  background: 'In the background',
  terminal: 'In a terminal',
};

/**
 * The fields' names for people, or undefined: then each stands under its own. With one field that the tool does not know all do, for a
 * model could have called it like another one's name for people.
 */
export function fieldNames(tool: string, fields: readonly InputField[]): readonly string[] | undefined {
  if (tool !== 'bash') return undefined;
  const names = fields.flatMap(({ name }) => (Object.hasOwn(COMMAND_FIELDS, name) ? (COMMAND_FIELDS[name] ?? []) : []));
  return names.length === fields.length ? names : undefined;
}
