import { isServerToolName, type Rule } from '@tendon/protocol';
import type { Caller } from './ports.ts';

/** A stored approval that a person has just made or taken back: from now on the agent may do something without asking, or no longer. */
export interface RuleChange {
  readonly kind: 'stored' | 'revoked';
  readonly caller: Caller;
  /** The rule in words, bounded. */
  readonly about: string;
}

const SUBJECT_LENGTH = 300;

/** Which tool, what exactly, where, and for how long. */
export function ruleWords(rule: Rule, machine: string | undefined): string {
  const { tool, subject, workspace, sessionId } = rule;
  const what = subject.length > SUBJECT_LENGTH ? `${subject.slice(0, SUBJECT_LENGTH).toWellFormed()}… (${subject.length} characters)` : subject;
  const where = [
    workspace === undefined ? '' : ` in ${workspace}`,
    machine === undefined ? '' : ` on ${machine}`,
    isServerToolName(tool) ? ' on the server' : '',
  ].join('');
  return `${tool}: ${what}${where}${sessionId === undefined ? '' : ', in one session only'}`;
}
