import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { cutBefore } from '@tendon/protocol/truncation';
import type { InputCheck } from './mcp-connection.ts';

type Schema = Readonly<Record<string, unknown>>;

/** So many schemas may stand in one when every reference is written out. */
const MAX_SCHEMAS = 2_000;
const MAX_DEPTH = 60;
const FAULT_UNITS = 2_000;

/** Keywords whose value is data, taken as it is. What is neither here nor below says nothing about an input, or is not safe (`pattern`, `$async`). */
const DATA = new Set(
  `type enum const required nullable format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems maxItems
  uniqueItems minContains maxContains minProperties maxProperties`.split(/\s+/),
);
const ONE_OR_MANY = new Set('not if then else contains propertyNames items additionalItems additionalProperties allOf anyOf oneOf'.split(' '));
const NAMED = new Set(['properties', 'dependencies']);

/**
 * The schema is a stranger's, so that what it makes this process do is bounded: its references are written out, up to a limit that one to itself
 * always passes, and patterns are left out, because a foreign regular expression can hold this process for ever. A schema that cannot be used so
 * checks nothing: the server, which wrote it, checks again.
 */
export function inputCheck(schema: Schema, onUnchecked: (reason: string) => void = () => undefined): InputCheck {
  const unchecked = (error: unknown): undefined => onUnchecked(error instanceof Error ? error.message : String(error)) as undefined;
  try {
    const check = new AjvJsonSchemaValidator().getValidator(writtenOut(schema) as Parameters<AjvJsonSchemaValidator['getValidator']>[0]);
    return (input) => {
      try {
        const outcome = check(input);
        if (outcome.valid) return undefined;
        const fault = outcome.errorMessage.replaceAll(/\bdata\b/g, 'input');
        return fault.length <= FAULT_UNITS ? fault : `${fault.slice(0, cutBefore(fault, FAULT_UNITS))} …`;
      } catch (error) {
        return unchecked(error);
      }
    };
  } catch (error) {
    unchecked(error);
    return () => undefined;
  }
}

/** The schema without references, and with nothing but the keywords that are known here. */
function writtenOut(root: Schema): unknown {
  let schemas = 0;
  const write = (value: unknown, depth: number): unknown => {
    schemas += 1;
    if (schemas > MAX_SCHEMAS || depth > MAX_DEPTH) throw new RangeError('its references lead back to themselves, or to too much');
    if (!isObject(value)) return value;
    const kept = Object.entries(value).flatMap(([key, item]) => {
      if (DATA.has(key)) return [[key, item]];
      if (ONE_OR_MANY.has(key) && isSafe(key, value)) return [[key, Array.isArray(item) ? item.map((one) => write(one, depth + 1)) : write(item, depth + 1)]];
      if (NAMED.has(key) && isObject(item)) return [[key, writeNamed(item, depth)]];
      return [];
    });
    const written = Object.fromEntries(kept) as Record<string, unknown>;
    return value['$ref'] === undefined ? written : { allOf: [write(target(root, value['$ref']), depth + 1), written] };
  };
  // A dependency may also be a list of names, which is data.
  const writeNamed = (named: Schema, depth: number): unknown =>
    Object.fromEntries(Object.entries(named).map(([name, item]) => [name, Array.isArray(item) ? item : write(item, depth + 1)]));
  return write(root, 0);
}

/** Whether the keyword means what it says without those beside it that are left out. */
function isSafe(key: string, beside: Schema): boolean {
  if (key === 'additionalProperties') return !Object.hasOwn(beside, 'patternProperties');
  return key !== 'items' || !Object.hasOwn(beside, 'prefixItems');
}

/** What a reference within the schema (RFC 6901, as a fragment) stands for. */
function target(root: Schema, reference: unknown): unknown {
  if (typeof reference !== 'string' || !/^#(\/|$)/.test(reference)) throw new Error('it refers to another schema');
  const steps = reference.split('/').slice(1);
  return steps.reduce<unknown>((value, step) => {
    const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) throw new Error('it refers to a part that it does not have');
    return (value as Schema)[name];
  }, root);
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
