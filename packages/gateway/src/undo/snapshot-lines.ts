import { tryParse } from '@tendon/protocol';
import { z } from 'zod';

/** A file at one moment, by its content. */
const fileSchema = z.object({ kind: z.literal('file'), hash: z.string().regex(/^[0-9a-f]{64}$/), mode: z.number().int().nonnegative() });

const beforeSchema = z.discriminatedUnion('kind', [
  fileSchema,
  z.object({ kind: z.literal('absent') }),
  /** There was something that could not be kept. */
  z.object({ kind: z.literal('not_kept'), why: z.string() }),
]);

const afterSchema = z.discriminatedUnion('kind', [z.object({ kind: z.literal('file'), hash: fileSchema.shape.hash }), z.object({ kind: z.literal('absent') })]);

/** What a call was about to make of one file, and what was there before. Written down before it is done. */
export const changeLineSchema = z.object({
  at: z.iso.datetime(),
  workspace: z.string(),
  /** For whom it is kept: which server, and as which machine. Nobody else is asked whether its session is over. */
  keptFor: z.string().optional(),
  /** As the call names it, without detours, relative to the workspace. */
  path: z.string(),
  /** Where it truly is, relative to the workspace: another path, when a link leads there. */
  place: z.string(),
  /** Folders that were not there and come with the file, outermost first, relative to the workspace: they go with it when they are empty. */
  newFolders: z.array(z.string()).optional(),
  before: beforeSchema,
  after: afterSchema,
  /** The place that it was moved from: it does not go before that is back. */
  movedFrom: z.string().optional(),
});

export type ChangeLine = z.infer<typeof changeLineSchema>;
export type Before = ChangeLine['before'];

/** The lines of one call. What is torn off at the end had not been on the disk when its change was to begin, so it did not begin. */
export function readChangeLines(text: string): ChangeLine[] {
  const lines: ChangeLine[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const parsed = tryParse(changeLineSchema, jsonOf(line));
    if (parsed.success) lines.push(parsed.data);
  }
  return lines;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
