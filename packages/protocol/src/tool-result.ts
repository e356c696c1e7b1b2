import { z } from 'zod';
import { LIMITS, utf8Bytes } from './limits.ts';
import { undoneFileSchema } from './undo-tool.ts';

/** One piece of a tool's answer, in the shape of an MCP tool result's content, so that MCP tools pass through unchanged. */
export const toolContentSchema = z.union([
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('image'), data: z.string(), mimeType: z.string() }),
  z.object({
    type: z.literal('resource'),
    resource: z.object({ uri: z.string(), mimeType: z.string().optional(), text: z.string().optional(), blob: z.string().optional() }),
  }),
]);

/** Facts about a run that are not part of the answer itself. */
export const toolMetaSchema = z.looseObject({
  exitCode: z.number().int().optional(),
  signal: z.string().optional(),
  durationMs: z.number().nonnegative().optional(),
  /** Unified diff of what an edit changed. */
  diff: z.string().optional(),
  added: z.number().int().nonnegative().optional(),
  removed: z.number().int().nonnegative().optional(),
  /** Of an undo: what became of each file. */
  undone: z.array(undoneFileSchema).optional(),
  /** Of a command: whether it ran in a sandbox of its machine. */
  sandboxed: z.boolean().optional(),
  /** Of a command: where the next one of its session starts, relative to the workspace, which is `.`. */
  folder: z.string().optional(),
  /** How much was left out of `content`, in bytes. */
  truncatedBytes: z.number().int().nonnegative().optional(),
});

/** Of the content of a result, in pieces. */
export const RESULT_PIECES = 1_000;
const CODE_LENGTH = 100;
const MESSAGE_LENGTH = 10_000;

export const toolResultSchema = z
  .object({
    /** `unknown`: it started, and no one can say whether it finished. */
    status: z.enum(['succeeded', 'failed', 'cancelled', 'unknown']),
    content: z.array(toolContentSchema).max(RESULT_PIECES),
    error: z.object({ code: z.string().max(CODE_LENGTH), message: z.string().max(MESSAGE_LENGTH) }).optional(),
    meta: toolMetaSchema.optional(),
  })
  .refine((result) => utf8Bytes(JSON.stringify(result)) <= LIMITS.toolResultBytes, {
    message: `a tool result may have at most ${LIMITS.toolResultBytes} bytes`,
    params: { tooLarge: true },
  });

export type ToolContent = z.infer<typeof toolContentSchema>;
export type ToolMeta = z.infer<typeof toolMetaSchema>;
export type ToolResult = z.infer<typeof toolResultSchema>;

export function textResult(status: ToolResult['status'], text: string, meta?: ToolMeta): ToolResult {
  return meta ? { status, content: [{ type: 'text', text }], meta } : { status, content: [{ type: 'text', text }] };
}

const CUT = ' [… cut here]';

/** What went wrong, in at most what a result may hold: clients refuse one whole that has more. That something was cut is said. */
export function resultError(code: string, message: string): NonNullable<ToolResult['error']> {
  const isCut = message.length > MESSAGE_LENGTH;
  return { code: code.slice(0, CODE_LENGTH), message: isCut ? `${message.slice(0, MESSAGE_LENGTH - CUT.length).toWellFormed()}${CUT}` : message };
}

/** A result that says what went wrong, readable by model and person alike. The content has all of a message that is too long for the error. */
export function failedResult(code: string, message: string, meta?: ToolMeta): ToolResult {
  const result: ToolResult = { status: 'failed', content: [{ type: 'text', text: message }], error: resultError(code, message) };
  return meta ? { ...result, meta } : result;
}
