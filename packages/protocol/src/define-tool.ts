import type { z } from 'zod';

export type ToolEffect = 'read' | 'write' | 'execute' | 'network';

export interface ToolDefinition<Schema extends z.ZodType = z.ZodType> {
  readonly description: string;
  readonly input: Schema;
  readonly effect: ToolEffect;
  /** The part of the input that a permission rule is about: a command, a path, a pattern. */
  readonly subject: (input: z.infer<Schema>) => string;
  /** No permission rule allows it: a person decides each time. */
  readonly isAlwaysAsked?: boolean;
}

/** Keeps the schema's own type, so that `subject` is checked against it. */
export function define<Schema extends z.ZodType>(definition: ToolDefinition<Schema>): ToolDefinition<Schema> {
  return definition;
}
