import { readFile } from 'node:fs/promises';
import { isMcpName } from '@tendon/mcp';
import { LOCAL_TOOLS, PERSON_TOOLS } from '@tendon/protocol';
import { isNearName, plainIssue } from '@tendon/protocol/plain-words';
import type { z } from 'zod';
import { errorCode } from '../tools/faults.ts';
import { JsonPlaces } from './json-places.ts';
import { matchesPattern, type Policy, policySchema } from './policy.ts';

export type ReadPolicy = { readonly ok: true; readonly policy: Policy } | { readonly ok: false; readonly fault: string };

/** One that is not there is a fault too: who asks knows that there is one. */
export async function readPolicyFile(path: string): Promise<ReadPolicy> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    return { ok: false, fault: `cannot be read (${errorCode(error) ?? 'unknown error'})` };
  }
  // Some editors put a mark before the first character, which nobody sees there.
  return readPolicy(text.replace(/^\ufeff/, ''));
}

/** What the text of a policy file says, or what is wrong with it and in which line. Names of fields are told, and never what they hold. Pure. */
export function readPolicy(text: string): ReadPolicy {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch {
    const { broken } = new JsonPlaces(text);
    return { ok: false, fault: `is not JSON${broken === undefined ? '' : ` (${broken})`}` };
  }
  const parsed = policySchema.safeParse(whole);
  if (parsed.success) return { ok: true, policy: parsed.data };
  const [issue] = parsed.error.issues;
  return { ok: false, fault: issue ? issueWords(issue, new JsonPlaces(text)) : 'is no policy' };
}

function issueWords(issue: z.core.$ZodIssue, places: JsonPlaces): string {
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
  const line = places.lineOf(path);
  const where = path.length === 0 ? 'its top' : path.map((step) => String(step).slice(0, 100)).join('.');
  if (line !== undefined) return `is wrong at ${where} (line ${line}): ${plainIssue(issue)}`;
  return `lacks ${where}, in what begins in line ${places.lineOf(path.slice(0, -1)) ?? 1}: ${plainIssue(issue)}`;
}

/** Rules that are about no call, because no tool has such a name: each in words. Tools of MCP servers come and go. Pure. */
export function strangeTools(policy: Policy): readonly string[] {
  return policy.rules.flatMap(({ tool, action }, index) => {
    if (tool === undefined || MACHINE_TOOLS.some((name) => matchesPattern(tool, name)) || mayBeOfServer(tool)) return [];
    const near = MACHINE_TOOLS.find((name) => isNearName(tool.toLowerCase(), name));
    const meant = near === undefined ? '' : `, perhaps "${near}" is meant`;
    return [`rules.${index} (${action}) is about the tool ${JSON.stringify(tool.slice(0, 100))}, and this machine has none of that name${meant}`];
  });
}

const MACHINE_TOOLS: readonly string[] = [...Object.keys(LOCAL_TOOLS), ...Object.keys(PERSON_TOOLS)];

function mayBeOfServer(pattern: string): boolean {
  const [start = ''] = pattern.split(/[*?]/);
  return isMcpName(pattern) || (start !== pattern && 'mcp_'.startsWith(start));
}
