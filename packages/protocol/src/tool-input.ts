import { z } from 'zod';
import { outlineFault, type PayloadFault, tryParse } from './validate.ts';

/*
 * What a model is told about an input of the wrong shape: all that is wrong, in plain words, and which fields are right, so that its next
 * call can be the right one. Server and gateway check with this, so that both refuse the same and in the same words.
 */

export type ToolInputCheck<Input = unknown> = { readonly ok: true; readonly input: Input } | { readonly ok: false; readonly message: string };

/** What of a JSON schema is told in words. */
interface Shape {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
}

const MAX_FAULTS = 10;
const MAX_NAMES = 10;
const NAME_UNITS = 60;
const VALUE_UNITS = 40;
/** Of a choice: those that stand in the list of fields. A fault names them all. */
const FEW_WORDS = 6;
const MESSAGE_UNITS = 4_000;

/** Pure. Checks an input of a tool that is built in; a field that the tool does not have is a fault, because it would have no effect. */
export function checkToolInput<Schema extends z.ZodType>(tool: string, schema: Schema, input: unknown): ToolInputCheck<z.infer<Schema>> {
  const outline = outlineFault(input);
  if (outline) return { ok: false, message: wrongInput(tool, schema, [outlineWords(outline)]) };
  const parsed = tryParse(schema, input);
  if (parsed.success) return { ok: true, input: parsed.data };
  const shape = shapeOf(schema);
  const faults = parsed.error?.issues.map((issue) => faultWords(issue, { input, shape })) ?? ['it cannot be read'];
  return { ok: false, message: wrongInput(tool, schema, faults) };
}

/** What is wrong with the bare shape of an input, as `wrongInput` tells it. */
export function outlineWords({ path, reason }: PayloadFault): string {
  return path === '' ? `it is ${reason}` : `${path}: ${reason}`;
}

/** The refusal of an input: what is wrong with it, and what would be right. */
export function wrongInput(tool: string, schema: z.ZodType, faults: readonly string[]): string {
  const told = faults.slice(0, MAX_FAULTS);
  if (faults.length > told.length) told.push(`and ${faults.length - told.length} more faults`);
  const message = `The input of ${tool} is wrong: ${told.join('; ')}. `.slice(0, MESSAGE_UNITS).toWellFormed();
  const { properties } = shapeOf(schema);
  if (!properties) return `${message}Send the call again with one JSON object that fits the tool's schema.`;
  if (Object.keys(properties).length === 0) return `${message}It has no fields. Send the call again with {}.`;
  return `${message}Its fields: ${fieldsWords(shapeOf(schema))}. Send the call again with these.`;
}

const shapes = new WeakMap<z.ZodType, Shape>();

function shapeOf(schema: z.ZodType): Shape {
  const shape = shapes.get(schema) ?? (z.toJSONSchema(schema, { io: 'input' }) as Shape);
  shapes.set(schema, shape);
  return shape;
}

function fieldsWords({ properties = {}, required = [] }: Shape): string {
  return Object.entries(properties)
    .map(([name, field]) => `${name} (${kindWords(field)}${required.includes(name) ? ', required' : ''})`)
    .join(', ');
}

function kindWords({ type, enum: words, properties, items, required }: Shape): string {
  if (words) return choiceWords(words);
  if (type === 'array') return `list of ${kindWords(items ?? {})}`;
  if (type === 'object') return properties ? `{ ${fieldsWords({ properties, ...(required ? { required } : {}) })} }` : 'object';
  return KINDS[type ?? ''] ?? 'value';
}

const KINDS: Readonly<Record<string, string>> = { string: 'text', integer: 'whole number', number: 'number', boolean: 'true or false' };

function choiceWords(words: readonly unknown[]): string {
  const some = words.slice(0, FEW_WORDS).map((word) => JSON.stringify(word));
  return words.length > FEW_WORDS ? `one of ${words.length} words such as ${some.join(', ')}` : `one of ${some.join(', ')}`;
}

interface Faulty {
  readonly input: unknown;
  readonly shape: Shape;
}

function faultWords(issue: z.core.$ZodIssue, { input, shape }: Faulty): string {
  const value = valueAt(input, issue.path);
  if (issue.code === 'unrecognized_keys') return unknownWords(issue.keys, issue.path);
  const place = placeWords(issue.path);
  if (value === undefined) return issue.path.length === 0 ? 'there is none' : `${place} is missing`;
  return `${place} ${valueWords(issue, { value, shape: shapeAt(shape, issue.path) })}`;
}

function valueWords(issue: z.core.$ZodIssue, { value, shape }: { readonly value: unknown; readonly shape: Shape }): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${wantedWords(shape)}, not ${saidWords(value)}`;
    case 'invalid_value':
      return `must be one of ${issue.values.map((word) => JSON.stringify(word)).join(', ')}, not ${saidWords(value)}`;
    case 'too_small':
      if (issue.origin === 'number' || issue.origin === 'int') return `must be ${issue.minimum} or more, not ${saidWords(value)}`;
      return issue.minimum === 1 ? 'must not be empty' : `must have at least ${issue.minimum} ${unitOf(issue.origin)}`;
    case 'too_big':
      if (issue.origin === 'number' || issue.origin === 'int') return `must be ${issue.maximum} or less, not ${saidWords(value)}`;
      return `may have at most ${issue.maximum} ${unitOf(issue.origin)}, and has ${lengthOf(value)}`;
    default:
      return `${issue.message}, not ${saidWords(value)}`;
  }
}

function wantedWords(shape: Shape): string {
  if (shape.enum) return choiceWords(shape.enum);
  if (shape.type === 'object') return 'one JSON object';
  return shape.type === 'array' || shape.type === 'integer' || shape.type === 'number' ? `a ${kindWords(shape)}` : kindWords(shape);
}

function saidWords(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'string') return `the text ${JSON.stringify(shortened(value, VALUE_UNITS))}`;
  return typeof value === 'number' ? `the number ${value}` : String(value);
}

function unitOf(origin: string): string {
  return origin === 'string' ? 'characters' : 'entries';
}

function lengthOf(value: unknown): number | string {
  return typeof value === 'string' || Array.isArray(value) ? value.length : 'more';
}

function unknownWords(keys: readonly string[], path: readonly PropertyKey[]): string {
  const names = keys.slice(0, MAX_NAMES).map((key) => placeWords([...path, key]));
  const rest = keys.length > names.length ? ` and ${keys.length - names.length} more` : '';
  return `${names.join(', ')}${rest} ${keys.length === 1 ? 'is' : 'are'} unknown`;
}

/** `edits[1].oldText`; a name that is none of ours is shown so that it cannot be taken for words of the answer. */
function placeWords(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'it';
  return path.map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${nameWords(String(key))}`)).join('');
}

function nameWords(name: string): string {
  return /^[\w$-]+$/.test(name) && name.length <= NAME_UNITS ? name : JSON.stringify(shortened(name, NAME_UNITS));
}

function shortened(text: string, units: number): string {
  return text.length > units ? `${text.slice(0, units).toWellFormed()}…` : text.toWellFormed();
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => {
    const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    return isThere ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  }, input);
}

function shapeAt(shape: Shape, path: readonly PropertyKey[]): Shape {
  return path.reduce<Shape>((at, key) => (typeof key === 'number' ? at.items : at.properties?.[String(key)]) ?? {}, shape);
}
