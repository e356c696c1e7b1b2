import type { Rule, ToolEffect } from '@tendon/protocol';
import type { Verdict } from './input.ts';

export type PolicyRule = Pick<Rule, 'id' | 'tool' | 'subject' | 'workspace' | 'gatewayId' | 'definition' | 'sessionId'>;

export interface CallInQuestion {
  readonly sessionId: string;
  readonly tool: string;
  readonly effect: ToolEffect;
  /** The command, path or pattern that rules are about. */
  readonly subject: string;
  readonly workspace?: string | undefined;
  readonly gatewayId?: string | undefined;
  /** Of a tool of an MCP server on the server: a rule is about what it said when the rule was made. */
  readonly definition?: string | undefined;
}

/**
 * Reading inside the workspace is allowed, everything else asks, unless a stored rule matches exactly:
 * the same tool, subject, folder and machine, and the session where the rule was made for one (SPEC C4).
 * The machine's own policy may still refuse what is allowed here.
 */
export function decideCall(call: CallInQuestion, rules: readonly PolicyRule[]): Verdict {
  if (call.effect === 'read') return { kind: 'allow', rule: 'reading is allowed' };
  const rule = rules.find((candidate) => matches(candidate, call));
  return rule ? { kind: 'allow', rule: rule.id } : { kind: 'ask' };
}

function matches(rule: PolicyRule, call: CallInQuestion): boolean {
  return (
    rule.tool === call.tool &&
    rule.subject === call.subject &&
    rule.workspace === call.workspace &&
    rule.gatewayId === call.gatewayId &&
    rule.definition === call.definition &&
    (rule.sessionId === undefined || rule.sessionId === call.sessionId)
  );
}
