import { GATEWAY_COMMANDS, type GatewayCommand, validate } from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';
import type { LocalApprovals } from '../policy/local-approvals.ts';
import { decidePolicy } from '../policy/policy.ts';
import type { PolicyFile } from '../policy/policy-file.ts';
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
  const { action, rule } = decidePolicy(current.policy, {
    tool: call.command.tool,
    effect: call.prepared.effect,
    subject: call.prepared.subject(call.workspace),
    workspace: call.workspace.root,
  });
  const which = rule ? `rule ${JSON.stringify(rule)}` : 'default';
  if (action === 'deny')
    return { code: 'denied_by_machine', message: `This machine's own policy forbids it (${which}). Only its owner can change that, on the machine.` };
  if (action === 'ask' && call.command.grant.by !== 'user') {
    return {
      code: 'approval_needed',
      message: `This machine's own policy wants a person to approve this each time (${which}). Ask for it again with an approval.`,
    };
  }
  const { effect } = call.prepared;
  if (current.policy.requireLocalApproval && effect !== 'read' && !options.approvals.has({ ...call.command, effect }))
    return { code: 'approval_needed', message: LOCAL_APPROVAL_NEEDED };
  return call.prepared.refusalOf?.(call.command.grant);
}

function refuse(code: string, message: string): { ok: false; refusal: Refusal } {
  return { ok: false, refusal: { code, message } };
}
