import type { LocalToolName, PersonToolName, ToolInput, ToolResult } from '@tendon/protocol';
import type { ProcessIdentity } from '@tendon/system';
import type { BrowserHost } from '../browser/browser-host.ts';
import type { PolicyFile } from '../policy/policy-file.ts';
import type { CommandNetworks } from '../sandbox/command-networks.ts';
import type { Snapshots } from '../undo/snapshots.ts';
import type { Background } from './background.ts';
import type { Workspace } from './workspace.ts';

/** Why a running call is ended before its time. */
export type EndReason =
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'timeout'; readonly limitMs: number }
  | { readonly kind: 'closing' }
  /** It was not started in time, and is not started any more. */
  | { readonly kind: 'late' };

/** What a tool is given to run one call with. */
export interface ToolContext {
  readonly callId: string;
  readonly sessionId: string;
  readonly workspace: Workspace;
  /** Aborted with an `EndReason` when the call is to end early. */
  readonly signal: AbortSignal;
  /** Live output, as it comes. Best effort: the result carries what counts. */
  readonly onOutput: (text: string) => void;
  /** Called as soon as a process group exists that would outlive a killed gateway. */
  readonly onSpawned: (leader: ProcessIdentity) => void;
  /** What this machine's owner has laid down: asked again by who starts a process. */
  readonly policy: Pick<PolicyFile, 'current'>;
  /** Takes over what a finished command has left running. */
  readonly background: Background;
  /** Keeps what files are before they are changed. */
  readonly snapshots: Pick<Snapshots, 'keep' | 'linesOf' | 'read'>;
  /** The browser of this gateway, started when a call needs it. */
  readonly browser: Pick<BrowserHost, 'open' | 'find' | 'artifacts'>;
  /** Networks for commands whose network is filtered. */
  readonly networks: Pick<CommandNetworks, 'join'>;
}

/** What runs here: tools that a model is offered, and those that only a person asks for. */
export type MachineToolName = LocalToolName | PersonToolName;

/** A tool of this machine. `run` never rejects for what the caller did wrong: that is a failed result which says what would be right. */
export interface LocalTool<Name extends MachineToolName = MachineToolName> {
  readonly name: Name;
  run(input: ToolInput<Name>, context: ToolContext): Promise<ToolResult>;
}

export function endReason(signal: AbortSignal): EndReason {
  const reason: unknown = signal.reason;
  if (typeof reason === 'object' && reason !== null && 'kind' in reason) return reason as EndReason;
  return { kind: 'cancelled' };
}

/** The result of a call that was ended early, with what it had said so far. */
export function endedEarly(reason: EndReason, output: string, meta: ToolResult['meta'] = {}): ToolResult {
  const line = endLine(reason);
  const text = output === '' ? line : `${output}${output.endsWith('\n') ? '' : '\n'}\n${line}`;
  const content: ToolResult['content'] = [{ type: 'text', text }];
  if (reason.kind === 'timeout') return { status: 'failed', content, error: { code: 'timeout', message: line }, meta };
  if (reason.kind === 'late') return { status: 'failed', content, error: { code: 'too_late', message: line }, meta };
  return { status: 'cancelled', content, meta };
}

function endLine(reason: EndReason): string {
  if (reason.kind === 'timeout')
    return `Ended after its time limit of ${reason.limitMs} ms, with everything it had started. Give a longer timeoutMs, or do it in smaller steps.`;
  if (reason.kind === 'closing') return 'Ended because the gateway on this machine was stopped.';
  if (reason.kind === 'late') return 'Not started: this machine was held up for too long after it had taken the call. Ask for it again.';
  return 'Cancelled while it ran.';
}
