import { randomUUID } from 'node:crypto';
import * as protocol from '@tendon/protocol';
import { z } from 'zod';

/*
 * Every text of the protocol that anybody may fill with what they like, found in its schemas: `session.title`, `gateway.tools[].name`,
 * `bash.command`. A schema that has a name is walked once, under that name.
 */

const NAMED: ReadonlyMap<z.ZodType, string> = new Map(
  Object.entries(protocol).flatMap(([name, value]) => (value instanceof z.ZodType && name.endsWith('Schema') ? [[value, name.slice(0, -6)] as const] : [])),
);

export const TOOLS = { ...protocol.LOCAL_TOOLS, ...protocol.REMOTE_TOOLS, ...protocol.PAUSE_TOOLS, ...protocol.PERSON_TOOLS };

/** What a page is sent: answers and notices. */
export function protocolFields(): string[] {
  const found = new Set<string>();
  const roots = new Map<z.ZodType, string>();
  const walk = walker(found, roots);
  for (const [name, { data }] of Object.entries(protocol.AGENT_REQUESTS)) walk(data, name, true);
  for (const [name, notice] of Object.entries(protocol.AGENT_NOTICES)) walk(notice, name, true);
  walk(protocol.answersSchema, 'answers', true);
  // A map that grows while it is walked is walked to its end.
  for (const [schema, name] of roots) walk(schema, name, true);
  return [...found].toSorted();
}

/** What stands in the inputs of the tools. */
export function toolFields(): string[] {
  const found = new Set<string>();
  for (const [name, { input }] of Object.entries(TOOLS)) walker(found, new Map())(input, name, true);
  return [...found].toSorted();
}

type Walk = (schema: z.ZodType, path: string, isRoot?: boolean) => void;

function walker(found: Set<string>, roots: Map<z.ZodType, string>): Walk {
  const walk: Walk = (schema, path, isRoot = false) => {
    const name = NAMED.get(schema);
    if (name !== undefined && !isRoot && !(schema instanceof z.ZodString)) {
      roots.set(schema, name);
      return;
    }
    if (isFreeText(schema) || schema instanceof z.ZodUnknown) found.add(path);
    for (const [step, inner] of innerOf(schema)) walk(inner, `${path}${step}`);
  };
  return walk;
}

/** A text that has a form of its own, such as an id or a time, is none that somebody could fill. */
function isFreeText(schema: z.ZodType): schema is z.ZodString {
  return schema instanceof z.ZodString && schema.format === null;
}

function innerOf(schema: z.ZodType): (readonly [string, z.ZodType])[] {
  if (schema instanceof z.ZodObject) return Object.entries(schema.shape).map(([name, inner]) => [`.${name}`, inner as z.ZodType]);
  if (schema instanceof z.ZodArray) return [['[]', schema.element as z.ZodType]];
  if (schema instanceof z.ZodOptional) return [['', schema.unwrap() as z.ZodType]];
  if (schema instanceof z.ZodUnion) return schema.options.map((option) => [kindOf(option as z.ZodType), option as z.ZodType]);
  if (LEAVES.some((leaf) => schema instanceof leaf)) return [];
  throw new Error(`schemas of type ${schema.type} are not walked yet`);
}

/** What holds nothing further. A text with a form of its own is a ZodStringFormat. */
const LEAVES = [z.ZodString, z.ZodStringFormat, z.ZodNumber, z.ZodBoolean, z.ZodEnum, z.ZodLiteral, z.ZodUnknown];

/** Of the several shapes that something may have: the one that says so itself. */
function kindOf(schema: z.ZodType): string {
  const type: unknown = schema instanceof z.ZodObject ? schema.shape['type'] : undefined;
  return type instanceof z.ZodLiteral ? `(${String(type.value)})` : '';
}

/** The words for a field: all of them in one text, or in a list one for each row. */
export interface FieldWords {
  readonly all: (field: string) => string;
  readonly rows: (field: string) => readonly string[];
}

/** An input as its schema wants it, with the words in every text of it. An innermost list has as many rows as there are of words. */
export function filledInput(tool: keyof typeof TOOLS, words: FieldWords): unknown {
  return filled(TOOLS[tool].input, tool, { words, row: undefined });
}

interface Filling {
  readonly words: FieldWords;
  readonly row: number | undefined;
}

function filled(schema: z.ZodType, path: string, filling: Filling): unknown {
  const { words, row } = filling;
  if (isFreeText(schema)) return row === undefined ? words.all(path) : words.rows(path)[row];
  if (schema instanceof z.ZodOptional) return filled(schema.unwrap() as z.ZodType, path, filling);
  if (schema instanceof z.ZodObject) {
    return Object.fromEntries(Object.entries(schema.shape).map(([name, inner]) => [name, filled(inner as z.ZodType, `${path}.${name}`, filling)]));
  }
  if (schema instanceof z.ZodArray) {
    const element = schema.element as z.ZodType;
    const count = row !== undefined || hasList(element) || !hasText(element) ? 1 : words.rows('').length;
    return Array.from({ length: count }, (_, index) => filled(element, `${path}[]`, { words, row: count === 1 ? row : index }));
  }
  if (schema instanceof z.ZodEnum) return schema.options[0];
  if (schema instanceof z.ZodBoolean) return false;
  if (schema instanceof z.ZodNumber) return schema.minValue ?? 1;
  return schema instanceof z.ZodUUID ? randomUUID() : 'e1';
}

function hasList(schema: z.ZodType): boolean {
  return schema instanceof z.ZodArray || innerOf(schema).some(([, inner]) => hasList(inner));
}

function hasText(schema: z.ZodType): boolean {
  return isFreeText(schema) || innerOf(schema).some(([, inner]) => hasText(inner));
}
