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
  const parsed = tryParse(schema, value);
  if (parsed.success) return success(parsed.data);
  if (!parsed.error) return refusal('invalid_payload', UNREADABLE.reason, [UNREADABLE]);
  return { ok: false, error: fromIssues(parsed.error.issues) };
}

const UNREADABLE: PayloadFault = { path: '', reason: 'it cannot be read' };

/** `safeParse` that is safe: zod compares what only looks like a length (`{ length: [{ toString: 1 }] }`) and throws. Without an error then. */
export function tryParse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): { readonly success: true; readonly data: z.infer<Schema> } | { readonly success: false; readonly error: z.ZodError | undefined } {
  try {
    const parsed = schema.safeParse(value);
    return parsed.success ? { success: true, data: parsed.data } : { success: false, error: parsed.error };
  } catch {
    return { success: false, error: undefined };
  }
}

function fromIssues(issues: readonly z.core.$ZodIssue[]): ProtocolError {
  const faults = issues
    .flatMap(unfolded)
    .slice(0, 20)
    .map((issue): PayloadFault => ({ path: pathText(issue.path), reason: issue.message }));
  const isTooLarge = issues.flatMap(unfolded).some((issue) => issue.code === 'custom' && issue.params?.['tooLarge'] === true);
  return { code: isTooLarge ? 'too_large' : 'invalid_payload', message: describe(faults), details: faults };
}

/** What is wrong with the branch of a union that came nearest: the one whose fault lies deepest. */
function unfolded(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const depth = (branch: readonly z.core.$ZodIssue[]) => Math.max(0, ...branch.map((inner) => inner.path.length));
  const nearest = issue.errors.toSorted((a, b) => depth(b) - depth(a) || a.length - b.length)[0] ?? [];
  return nearest.flatMap((inner) => unfolded({ ...inner, path: [...issue.path, ...inner.path] }));
}

function describe(faults: readonly PayloadFault[]): string {
  const first = faults[0];
  if (!first) return 'the payload is not valid';
  return first.path === '' ? first.reason : `${first.path}: ${first.reason}`;
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${String(key)}`)).join('');
}

/** Walks without recursion, and counts before it takes anything up: no depth or width of input can end or hold the process. */
export function outlineFault(root: unknown, maxDepth: number = LIMITS.depth): PayloadFault | undefined {
  const open: { value: unknown; depth: number }[] = [{ value: root, depth: 0 }];
  let nodes = 1;
  for (let item = open.pop(); item; item = open.pop()) {
    const { value, depth } = item;
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= maxDepth) return { path: '', reason: `nested deeper than ${maxDepth}` };
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return { path: '', reason: 'binary data is not accepted' };
    if (Object.hasOwn(value, '__proto__')) return { path: '__proto__', reason: 'this key is not accepted' };
    const children = childrenOf(value, LIMITS.nodes - nodes);
    if (!children) return { path: '', reason: `more than ${LIMITS.nodes} values` };
    nodes += children.length;
    for (const child of children) if (typeof child === 'object') open.push({ value: child, depth: depth + 1 });
  }
  return undefined;
}

/** Undefined when there are more than `most`. */
function childrenOf(value: object, most: number): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value.length > most ? undefined : value;
  const children: unknown[] = [];
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue;
    if (children.length === most) return undefined;
    children.push((value as Record<string, unknown>)[key]);
  }
  return children;
}
