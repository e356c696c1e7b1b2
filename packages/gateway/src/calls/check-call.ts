import { GATEWAY_COMMANDS, type GatewayCommand, validate } from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';
import type { LocalApprovals } from '../policy/local-approvals.ts';
import { decidePolicy, type Policy, readKeepers } from '../policy/policy.ts';
import type { PolicyFile } from '../policy/policy-file.ts';
import type { FileRules, PolicySubject } from '../policy/policy-subject.ts';
import type { PreparedCall, ToolRegistry } from '../tools/registry.ts';
import type { Workspace } from '../tools/workspace.ts';

export type Command = GatewayCommand<'tool:call'>;

/** What a dispatch is measured against. */
export interface CheckOptions {
  readonly gatewayId: string;
  readonly workspaces: readonly Workspace[];
  readonly registry: ToolRegistry;
  readonly policy: Pick<PolicyFile, 'current'>;
  /** What was approved in the page of this machine's own relay. */
  readonly approvals: Pick<LocalApprovals, 'has'>;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

export interface RunnableCall {
  readonly command: Command;
  readonly workspace: Workspace;
  readonly prepared: PreparedCall;
}

const LOCAL_APPROVAL_NEEDED =
  "This machine's own policy only runs what was approved in the page that the machine itself shows (tendon gateway --relay). Approve it there, each time.";

export function checkShape(payload: unknown): Checked<Command> {
  const checked = validate(GATEWAY_COMMANDS['tool:call'].payload, payload);
  if (!checked.ok) return refuse(checked.error.code, `The dispatch has a wrong shape: ${checked.error.message}.`);
  return { ok: true, value: checked.data };
}

/** Everything but the policy file, which has to be looked at: workspace, tool, input, hash. Pure. */
export function checkContent(options: CheckOptions, command: Command): Checked<RunnableCall> {
  const workspace = options.workspaces.find((candidate) => candidate.root === command.workspace || candidate.given === command.workspace);
  if (!workspace) {
    const known = options.workspaces.map((candidate) => candidate.root).join(', ');
    return refuse('unknown_workspace', `${JSON.stringify(command.workspace)} is not a workspace of this machine. It has: ${known}.`);
  }
  const prepared = options.registry.prepare(command.tool, command.input);
  if (!prepared.ok) return refuse(prepared.code, prepared.message);
  if (ownHash(options.gatewayId, command) !== command.inputHash)
    return refuse('hash_mismatch', 'What was sent is not what was approved: its hash differs. Nothing was run. Ask for the call again.');
  return { ok: true, value: { command, workspace, prepared: prepared.call } };
}

/** Undefined for what has no canonical form, such as text with half a surrogate pair: no hash can agree with that. */
function ownHash(gatewayId: string, { tool, input, workspace }: Command): string | undefined {
  try {
    return inputHash({ tool, input, workspace, gatewayId });
  } catch {
    return undefined;
  }
}

/** This machine's own last word. */
export async function checkPolicy(options: CheckOptions, call: RunnableCall): Promise<Refusal | undefined> {
  const current = await options.policy.current();
  if (!current.ok) return { code: 'denied_by_machine', message: current.message };
  const refusal = refusalBy(current.policy, call, call.prepared.subject(call.workspace));
  if (refusal) return refusal;
  const { effect } = call.prepared;
  if (current.policy.requireLocalApproval && effect !== 'read' && !options.approvals.has({ ...call.command, effect }))
    return { code: 'approval_needed', message: LOCAL_APPROVAL_NEEDED };
  return call.prepared.refusalOf?.(call.command.grant);
}

/** The same for the files that a call comes to while it runs, by a link or in a search: its words did not say them. */
export async function fileRulesOf(options: CheckOptions, call: RunnableCall): Promise<FileRules | undefined> {
  const { subjectAt } = call.prepared;
  if (!subjectAt) return undefined;
  const current = await options.policy.current();
  if (!current.ok) {
    const refusal = { code: 'denied_by_machine', message: current.message };
    return { refusalAt: () => refusal, kept: ['*'] };
  }
  const { policy } = current;
  const keepers = readKeepers(policy, call.workspace.root).filter(({ action }) => action === 'deny' || !isApproved(call));
  return {
    refusalAt: (path, use) => refusalBy(policy, call, subjectAt(path, use)),
    kept: [...new Set(keepers.map(({ subject }) => subject ?? '*'))],
  };
}

function isApproved({ command }: RunnableCall): boolean {
  return command.grant.by === 'user';
}

function refusalBy(policy: Policy, call: RunnableCall, subject: PolicySubject): Refusal | undefined {
  const { command, prepared, workspace } = call;
  const { action, rule } = decidePolicy(policy, { tool: command.tool, effect: prepared.effect, subject, workspace: workspace.root });
  const which = rule ? `rule ${JSON.stringify(rule)}` : 'default';
  if (action === 'deny')
    return { code: 'denied_by_machine', message: `This machine's own policy forbids it (${which}). Only its owner can change that, on the machine.` };
  if (action === 'ask' && !isApproved(call)) {
    return {
      code: 'approval_needed',
      message: `This machine's own policy wants a person to approve this each time (${which}). Ask for it again with an approval.`,
    };
  }
  return undefined;
}

function refuse(code: string, message: string): { ok: false; refusal: Refusal } {
  return { ok: false, refusal: { code, message } };
}
