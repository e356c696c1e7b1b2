import type { z } from 'zod';
import { type ProtocolError, type Result, refusal, success } from './errors.ts';
import { LIMITS } from './limits.ts';

/** One thing that is wrong with a packet: where (`a.b[2]`, empty for the whole) and why. */
export interface PayloadFault {
  readonly path: string;
  readonly reason: string;
}

/**
 * Checks a packet that came from outside: first its bare shape (depth, number of values, no `__proto__` key), then the schema.
 * Unknown fields are dropped. Refusals are `invalid_payload` or `too_large`, with every fault in `details`.
 */
export function validate<Schema extends z.ZodType>(schema: Schema, value: unknown): Result<z.infer<Schema>> {
  const outline = outlineFault(value);
  if (outline) return refusal('invalid_payload', describe([outline]), [outline]);
  const parsed = schema.safeParse(value);
  if (parsed.success) return success(parsed.data);
  return { ok: false, error: fromIssues(parsed.error.issues) };
}

function fromIssues(issues: readonly z.core.$ZodIssue[]): ProtocolError {
  const faults = issues.slice(0, 20).map((issue): PayloadFault => ({ path: pathText(issue.path), reason: issue.message }));
  const isTooLarge = issues.some((issue) => issue.code === 'custom' && issue.params?.['tooLarge'] === true);
  return { code: isTooLarge ? 'too_large' : 'invalid_payload', message: describe(faults), details: faults };
}

function describe(faults: readonly PayloadFault[]): string {
  const first = faults[0];
  if (!first) return 'the payload is not valid';
  return first.path === '' ? first.reason : `${first.path}: ${first.reason}`;
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${String(key)}`)).join('');
}

/** Walks without recursion, so that no depth of input can end the process. */
function outlineFault(root: unknown): PayloadFault | undefined {
  const open: { value: unknown; depth: number }[] = [{ value: root, depth: 0 }];
  let nodes = 0;
  for (let item = open.pop(); item; item = open.pop()) {
    nodes += 1;
    if (nodes > LIMITS.nodes) return { path: '', reason: `more than ${LIMITS.nodes} values` };
    if (typeof item.value !== 'object' || item.value === null) continue;
    if (item.depth >= LIMITS.depth) return { path: '', reason: `nested deeper than ${LIMITS.depth}` };
    if (ArrayBuffer.isView(item.value) || item.value instanceof ArrayBuffer) return { path: '', reason: 'binary data is not accepted' };
    if (Object.hasOwn(item.value, '__proto__')) return { path: '__proto__', reason: 'this key is not accepted' };
    for (const child of Object.values(item.value)) open.push({ value: child, depth: item.depth + 1 });
  }
  return undefined;
}
