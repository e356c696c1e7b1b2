import { z } from 'zod';
import { define } from './define-tool.ts';

/** What else a turn did, for the one who takes its file changes back: none of it is undone by that. */
const otherWork = z.strictObject({ tool: z.string().max(200), what: z.string().max(500) });

export const PERSON_TOOLS = {
  undo_changes: define({
    description: 'Put the files that a turn changed back to what they were before it.',
    input: z.strictObject({
      /** The calls whose changes are taken back. */
      calls: z.array(z.uuid()).min(1).max(1_000),
      /** The files, as those calls name them. No other file is touched. */
      files: z.array(z.string().min(1).max(4_096)).min(1).max(5_000),
      others: z.array(otherWork).max(200),
    }),
    effect: 'write',
    subject: (input) => [...input.files].sort().join('\n'),
  }),
} as const;

/** What became of one file of an undo. */
export const undoneFileSchema = z.object({
  path: z.string(),
  /** `unchanged`: it was as before already. `left`: it is not what the turn left there. `impossible`: what it was is not kept, or may not be put back. */
  outcome: z.enum(['restored', 'removed', 'unchanged', 'left', 'impossible']),
  /** Why it is not as before. */
  why: z.string().optional(),
});

export type UndoneFile = z.infer<typeof undoneFileSchema>;
export type OtherWork = z.infer<typeof otherWork>;
export type PersonToolName = keyof typeof PERSON_TOOLS;

/** The person asked for a call of this tool: the model goes on when it is told to, and not by the end of this. */
export function isPersonTool(name: string): boolean {
  return Object.hasOwn(PERSON_TOOLS, name);
}
