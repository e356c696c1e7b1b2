import type { z } from 'zod';

const KINDS: Readonly<Record<string, string>> = {
  ...{ string: 'text', array: 'a list', record: 'an object', object: 'an object', number: 'a number', int: 'a whole number', boolean: 'true or false' },
};

/** What a schema has found wrong with a file that a person wrote, in plain words, without what stands there. */
export function plainIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `it must be ${KINDS[issue.expected] ?? issue.expected}`;
  if (issue.code === 'invalid_value') return `it must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
  if (issue.code === 'unrecognized_keys') return 'nothing of that name is known there';
  if (issue.code === 'too_small' && issue.origin === 'string') return 'it is empty';
  if (issue.code === 'too_big' && issue.origin === 'array') return `it has more than ${issue.maximum} entries`;
  if (issue.code === 'invalid_format' && issue.format === 'url') return 'it must be an address that begins with http:// or https://';
  return issue.message;
}

/** The same name, or one slip away: a character that is missing, too much, another one, or changed places with the next. Shorter names than `bash` say too little for that. */
export function isNearName(given: string, name: string): boolean {
  if (given === name) return true;
  if (name.length < 4 || Math.abs(given.length - name.length) > 1) return false;
  let same = 0;
  while (same < given.length && given[same] === name[same]) same += 1;
  const [rest, other] = [given.slice(same), name.slice(same)];
  if (rest.slice(1) === other || rest === other.slice(1) || rest.slice(1) === other.slice(1)) return true;
  return rest[0] === other[1] && rest[1] === other[0] && rest.slice(2) === other.slice(2);
}
