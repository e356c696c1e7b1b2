import type { Attachment, Fault, Part, ToolEffect, ToolKind, ToolResult, Usage } from '@tendon/protocol';
import type { StoredCall, StoredMessage } from './state.ts';

/** Time and ids come from outside: the machine reads no clock and makes no id. */
export interface Stamp {
  readonly at: string;
  /** The lease under which a turn begun now would run. */
  readonly epoch: number;
  /** Id of the message of a turn begun now, or of one placed now. */
  readonly turnId: string;
  /** Id of a rule stored now. */
  readonly ruleId: string;
  /** Id of a call that is asked for now without a model. */
  readonly callId: string;
}

/** Rows that an input is about and that may be no longer in the state. Loaded under the same lock. */
export interface Focus {
  readonly message?: StoredMessage | undefined;
  /** The message of this id as it was sent, when it has been taken out of the queue since. */
  readonly removed?: StoredMessage | undefined;
  readonly call?: StoredCall | undefined;
}

/** A tool call as the model asked for it, checked against schema and rules by the runner. */
export interface RequestedCall {
  readonly id: string;
  readonly tool: string;
  readonly kind: ToolKind;
  readonly effect: ToolEffect;
  readonly input: unknown;
  readonly inputHash: string;
  readonly gatewayId?: string | undefined;
  readonly workspace?: string | undefined;
  /** Hash of what a tool of an MCP server on the server says of itself. */
  readonly definition?: string | undefined;
  readonly metadata?: unknown;
  readonly verdict: Verdict;
}

/** What becomes of a requested call: `invalid` never runs and the model is told why. */
export type Verdict =
  | { readonly kind: 'allow'; readonly rule: string }
  | { readonly kind: 'ask' }
  | { readonly kind: 'deny'; readonly reason: string }
  | { readonly kind: 'invalid'; readonly error: Fault };

/** A call that a person asks for. Its id is made with the request. */
export interface UndoCall {
  readonly id: string;
  readonly gatewayId: string;
  readonly workspace: string;
  readonly input: unknown;
  readonly inputHash: string;
}

export type Input =
  // from people
  | {
      readonly type: 'execute';
      readonly messageId: string;
      readonly text: string;
      readonly attachments: readonly Attachment[];
      readonly mode: 'queue' | 'interrupt';
      /** What the running turn had streamed, when this interrupts it here. */
      readonly partial?: readonly Part[] | undefined;
    }
  | { readonly type: 'stop'; readonly partial?: readonly Part[] | undefined }
  | { readonly type: 'continue' }
  | { readonly type: 'cancel_message'; readonly messageId: string }
  | {
      readonly type: 'decide';
      readonly callId: string;
      readonly inputHash: string;
      readonly decision: 'approve' | 'deny';
      readonly scope: 'once' | 'session' | 'always';
      readonly reason?: string | undefined;
      readonly by: string;
      readonly via?: string | undefined;
      /** What the stored rule will match, when the scope is wider than once. */
      readonly subject: string;
      /** The machine's instance, when it is connected: the hand-over is then part of this commit. */
      readonly instanceId?: string | undefined;
    }
  | { readonly type: 'answer'; readonly callId: string; readonly result: ToolResult; readonly by: string; readonly via?: string | undefined }
  | {
      readonly type: 'resolve';
      readonly callId: string;
      readonly outcome: 'done' | 'failed' | 'again';
      readonly note?: string | undefined;
      readonly by: string;
      readonly via?: string | undefined;
    }
  /** The file changes of a turn are to be undone: one call for each machine and folder. */
  | { readonly type: 'undo'; readonly calls: readonly UndoCall[] }
  | {
      readonly type: 'update';
      readonly title?: string | undefined;
      readonly model?: string | undefined;
      readonly gatewayId?: string | undefined;
      readonly workspace?: string | undefined;
      readonly archived?: boolean | undefined;
    }
  // from the owner of the lease
  | {
      readonly type: 'turn_completed';
      readonly messageId: string;
      readonly parts: readonly Part[];
      readonly calls: readonly RequestedCall[];
      readonly model: string;
      readonly usage: Usage;
    }
  | {
      readonly type: 'turn_failed';
      readonly messageId: string;
      readonly parts: readonly Part[];
      readonly error: Fault;
      readonly retryable: boolean;
      readonly model: string;
      readonly usage?: Usage | undefined;
    }
  /** The owner of the turn is gone; whoever took the lease starts the model call again. */
  | { readonly type: 'turn_lost' }
  // from machines and from the node that runs a call, and about them
  | { readonly type: 'dispatch'; readonly callId: string; readonly instanceId: string }
  /** Its machine has been away past the deadline for offline work. */
  | { readonly type: 'call_expired'; readonly callId: string }
  | { readonly type: 'call_started'; readonly callId: string; readonly instanceId: string }
  | { readonly type: 'call_finished'; readonly callId: string; readonly instanceId: string; readonly result: ToolResult }
  /** The server ran a remote tool of its own, which may be run twice. */
  | { readonly type: 'remote_finished'; readonly callId: string; readonly result: ToolResult }
  /** No one can say any more what became of it. A call that only reads is sent again instead, unless a stop wants its end. */
  | { readonly type: 'call_lost'; readonly callId: string; readonly instanceId: string; readonly reason: string };

export type InputType = Input['type'];
export type InputOf<Type extends InputType> = Extract<Input, { type: Type }>;
