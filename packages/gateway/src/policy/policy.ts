import { isAbsolute, normalize } from 'node:path';
import { NO_TARGET, parseAllowed } from '@tendon/network';
import type { ToolEffect } from '@tendon/protocol';
import { z } from 'zod';
import type { PolicySubject } from './policy-subject.ts';
import { COMMAND_OPERATORS } from './shell-commands.ts';

const absolutePath = z.string().refine(isAbsolute, 'must be an absolute path');

const allowedTarget = z.string().refine((entry) => parseAllowed(entry) !== undefined, NO_TARGET);

const networkChoice = z.union([z.boolean(), z.literal('filtered')], { error: 'must be true, false or "filtered"' });

/** What this machine allows, whatever the server says. Unknown keys are refused: a mistyped `subjct` must not make a rule match everything. */
export const policySchema = z.strictObject({
  version: z.literal(1),
  /** For calls that no rule is about. `allow` leaves the decision to the server's rules and its user. */
  default: z.enum(['allow', 'ask', 'deny']).optional(),
  /** Runs nothing but reading unless it was approved in the page of this machine's own relay: the server's word is not enough then. */
  requireLocalApproval: z.boolean().optional(),
  /** Where commands run. Left out: in a sandbox when the machine can make one. */
  sandbox: z
    .strictObject({
      mode: z.enum(['auto', 'required', 'off']).optional(),
      /** False: commands reach no network, this machine's own ports included. `filtered`: what the browser may reach, through a proxy, and what their session has started. */
      network: networkChoice.optional(),
      /** May be written besides the workspace, the folder for temporary files and caches. */
      writable: z.array(absolutePath).max(1_000).optional(),
      /** Cannot be read by commands. */
      hidden: z.array(absolutePath).max(1_000).optional(),
    })
    .optional(),
  /**
   * How MCP servers over stdio are run, by their names in mcp.json; `*` stands for those that are not named. Whoever is named runs in the sandbox
   * of commands, with its workspaces, or not at all. Left out: as a program of the person's.
   */
  mcp: z
    .record(
      z.string().min(1),
      z.strictObject({
        mode: z.enum(['required', 'off']).optional(),
        /** As that of commands. `filtered`: what the server has started itself, and what the browser may reach. */
        network: networkChoice.optional(),
        writable: z.array(absolutePath).max(1_000).optional(),
        hidden: z.array(absolutePath).max(1_000).optional(),
      }),
    )
    .optional(),
  /** What the browser, filtered commands and MCP servers may reach over the network besides public addresses, such as `localhost:3000`. Left out: nothing. */
  network: z.strictObject({ allow: z.array(allowedTarget).max(1_000).optional() }).optional(),
  /** Whether people may watch what the agent's browser shows. Left out: where its pictures need nobody's leave, without `requireLocalApproval`. */
  browser: z.strictObject({ live: z.boolean().optional() }).optional(),
  rules: z
    .array(
      z.strictObject({
        action: z.enum(['allow', 'ask', 'deny']),
        /** A tool's name, in which `*` and `?` may stand as in a subject: `mcp__files__*`. Every tool when left out. */
        tool: z.string().min(1).optional(),
        /** What a tool does: every tool that does this. */
        effect: z.enum(['read', 'write', 'execute', 'network']).optional(),
        /** The command, path or pattern; `*` stands for any text, `?` for one character. In a command they stand for the rest of one command, never for a further one. */
        subject: z.string().min(1).optional(),
        /** Absolute path of a workspace. */
        workspace: absolutePath.optional(),
      }),
    )
    .max(10_000),
});

export type Policy = z.infer<typeof policySchema>;
export type PolicyAction = 'allow' | 'ask' | 'deny';
type Rule = Policy['rules'][number];
type Matched = Omit<Rule, 'subject'> & { readonly subject?: string | undefined };

export interface PolicyQuestion {
  readonly tool: string;
  readonly effect: ToolEffect;
  readonly subject: PolicySubject;
  readonly workspace: string;
}

const STRICTNESS: Readonly<Record<PolicyAction, number>> = { allow: 0, ask: 1, deny: 2 };

export const OPEN_POLICY: Policy = { version: 1, rules: [] };

interface Decision {
  readonly action: PolicyAction;
  readonly rule?: Rule;
}

/**
 * Pure. Deny wins over everything; among the others the rule that says most decides, the stricter one of two that say as much. A call that
 * reads or makes a file by another name than `read_file` or `write_file` is judged as both, and the stricter rule wins.
 */
export function decidePolicy(policy: Policy, question: PolicyQuestion): Decision {
  const own = decideOne(policy, question);
  const { reads, writes } = question.subject;
  const others = [
    ...(reads ? [decideOne(policy, { ...question, tool: 'read_file', effect: 'read', subject: reads })] : []),
    ...(writes ? [decideOne(policy, { ...question, tool: 'write_file', effect: 'write', subject: writes })] : []),
  ];
  // The default has been counted by the call's own name: a rule that lets that in need not be written twice.
  return others.reduce((strictest, other) => (other.rule && STRICTNESS[other.action] > STRICTNESS[strictest.action] ? other : strictest), own);
}

/** Pure. The rules that keep `read_file` from files of this workspace, or ask for them, whichever they are. */
export function readKeepers(policy: Policy, workspace: string): readonly Rule[] {
  const question = { tool: 'read_file', effect: 'read', subject: NO_SUBJECT, workspace } as const;
  return policy.rules.filter((rule) => rule.action !== 'allow' && matches({ ...rule, subject: undefined }, question));
}

const NO_SUBJECT: PolicySubject = { written: '', readings: [], commands: [] };

function decideOne(policy: Policy, question: PolicyQuestion): Decision {
  const matching = policy.rules.filter((rule) => matches(rule, question));
  const deny = matching.find((rule) => rule.action === 'deny');
  const rule = deny ?? matching.toSorted((a, b) => specificity(b) - specificity(a) || STRICTNESS[b.action] - STRICTNESS[a.action])[0];
  return rule ? { action: rule.action, rule } : { action: policy.default ?? 'allow' };
}

/** Tools that change files at the paths that are their subject. */
const CHANGING_TOOLS = new Set(['write_file', 'edit_file', 'multi_edit', 'apply_patch', 'undo_changes']);

/** A rule that keeps a file from being written or edited keeps it from every tool that changes files; one that lets in is about the tool that it names. */
function namesFor(action: PolicyAction, tool: string): readonly string[] {
  return action !== 'allow' && CHANGING_TOOLS.has(tool) ? [tool, 'write_file', 'edit_file'] : [tool];
}

function matches(rule: Matched, question: PolicyQuestion): boolean {
  const { tool } = rule;
  if (tool !== undefined && !namesFor(rule.action, question.tool).some((name) => matchesPattern(tool, name))) return false;
  if (rule.effect !== undefined && rule.effect !== question.effect) return false;
  if (rule.workspace !== undefined && normalize(`${rule.workspace}/.`) !== normalize(`${question.workspace}/.`)) return false;
  const pattern = rule.subject;
  if (pattern === undefined) return true;
  const { written, readings, commands } = question.subject;
  // `docs/../secret` must neither slip past a rule against `secret` nor be let in by one for `docs/*`;
  // `git status; git push` neither past one against `git push*` nor in by one for `git status*`.
  if (rule.action !== 'allow') return [written, ...readings, ...commands].some((text) => matchesPattern(pattern, text)) || keepsOutAlike(pattern, question);
  const barred = commands.length > 0 ? COMMAND_OPERATORS : '';
  return [written, ...readings].every((text) => matchesPattern(pattern, text, barred));
}

/** No path is longer. */
const PATH_UNITS = 4_096;

/**
 * There are file systems that tell names apart neither by case nor by how a letter is put together, and pass over signs that are not seen: `.ENV`
 * opens `.env` there.
 */
function keepsOutAlike(pattern: string, { subject: { written, readings, commands } }: PolicyQuestion): boolean {
  if (commands.length > 0) return false;
  const foldedPattern = folded(pattern);
  return [written, ...readings].some((text) => text.length <= PATH_UNITS && matchesPattern(foldedPattern, folded(text)));
}

function folded(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text.toLowerCase();
  return text
    .normalize('NFC')
    .replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFC');
}

function specificity(rule: Rule): number {
  const literal = rule.subject === undefined ? 0 : 1 + rule.subject.replaceAll(/[*?]/g, '').length;
  return literal * 16 + (rule.workspace === undefined ? 0 : 8) + toolSpecificity(rule.tool) + (rule.effect === undefined ? 0 : 1);
}

/** A name says more than a pattern of names. */
function toolSpecificity(tool: string | undefined): number {
  if (tool === undefined) return 0;
  return /[*?]/.test(tool) ? 2 : 4;
}

/**
 * Wildcards over the whole text, without a regular expression: no pattern can make this slow (at most pattern × text steps).
 * No wildcard stands for a character of `barred`; the pattern may name it.
 */
export function matchesPattern(pattern: string, text: string, barred = ''): boolean {
  const canStandFor = (place: number): boolean => !barred.includes(text.charAt(place));
  let at = 0;
  let inPattern = 0;
  let star = -1;
  let afterStar = 0;
  while (at < text.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern;
      inPattern += 1;
      afterStar = at;
    } else if (pattern[inPattern] === '?' ? canStandFor(at) : pattern[inPattern] === text[at]) {
      inPattern += 1;
      at += 1;
    } else if (star !== -1 && canStandFor(afterStar)) {
      inPattern = star + 1;
      afterStar += 1;
      at = afterStar;
    } else return false;
  }
  while (pattern[inPattern] === '*') inPattern += 1;
  return inPattern === pattern.length;
}
