import type { Call, Fault, Message, Usage } from '@tendon/protocol';

/** A tool as the model sees it. `inputSchema` is a JSON schema of type `object`. */
export interface ModelTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

/** The content of an attachment, base64. Without one the model is told only the attachment's name. */
export interface AttachmentContent {
  readonly mediaType: string;
  readonly base64: string;
}

/**
 * One durable message with its calls, as the runner's history cache holds it. Treated as immutable: a changed message or call is
 * a new object, so that its size is measured once.
 */
export interface HistoryItem {
  readonly message: Message;
  readonly calls: readonly Call[];
  /** By call id: `metadata` of the step part that asked for the call, given back to the provider as it came. */
  readonly callMetadata?: Readonly<Record<string, unknown>> | undefined;
  /** By attachment id. */
  readonly attachments?: Readonly<Record<string, AttachmentContent>> | undefined;
}

export interface StepRequest {
  /** `provider/model`. */
  readonly model: string;
  readonly instructions: string;
  /** Oldest first; queued messages may be in it and are left out. */
  readonly history: readonly HistoryItem[];
  readonly tools: readonly ModelTool[];
  readonly signal: AbortSignal;
}

/**
 * Hears the answer while it streams, synchronously. Indices are those of the parts in the outcome, in the order of first appearance.
 * The deltas of a text or reasoning part add up to its text.
 */
export interface StepSink {
  partStarted(index: number, part: StartedPart): void;
  /** Text, reasoning, or a piece of a tool's input as JSON text. */
  delta(index: number, text: string): void;
}

export type StartedPart = { readonly type: 'text' } | { readonly type: 'reasoning' } | { readonly type: 'tool_call'; readonly tool: string };

export type StepPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  /** `inputText` is what the model wrote: it may be no JSON, and the tool may not exist. */
  | { readonly type: 'tool_call'; readonly tool: string; readonly inputText: string; readonly metadata?: unknown };

export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'other';

/** `parts` of a step that did not complete are what had arrived. */
export type StepOutcome =
  | { readonly kind: 'completed'; readonly parts: readonly StepPart[]; readonly usage: Usage; readonly finishReason: FinishReason }
  | { readonly kind: 'failed'; readonly parts: readonly StepPart[]; readonly error: ModelFault; readonly retryable: boolean; readonly usage?: Usage }
  | { readonly kind: 'aborted'; readonly parts: readonly StepPart[] };

export const MODEL_FAULT_CODES = [
  'model_unauthorized',
  'model_rate_limited',
  'model_unavailable',
  'model_timeout',
  'model_bad_response',
  'model_refused',
  'model_context_full',
  'model_unknown',
  'model_not_configured',
] as const;

export type ModelFaultCode = (typeof MODEL_FAULT_CODES)[number];

/** A `Fault` of the protocol. The message is for a person: it names the model and what to do, and holds no key, header or stack. */
export interface ModelFault extends Fault {
  readonly code: ModelFaultCode;
  readonly message: string;
}

/** A row of `model:list`. `hint` says what to do when it is not available. */
export interface ModelInfo {
  readonly id: string;
  readonly name: string;
  readonly available: boolean;
  readonly hint?: string;
}

export interface ModelPort {
  /** One call of the model. Never rejects for what a provider does: every end is an outcome. */
  step(request: StepRequest, sink: StepSink): Promise<StepOutcome>;
  /** Asks a compatible server and a local Ollama for theirs, whatever else is configured; never rejects. */
  list(): Promise<ModelInfo[]>;
  /** The model of a new session. Asks a local Ollama or compatible server for its models when nothing else decides; never rejects. */
  defaultModel(): Promise<string>;
  /** Why the model cannot be used, before anything is sent; undefined when it can be tried. */
  check(model: string): ModelFault | undefined;
  /** Loads the provider's code ahead of the first step. Returns at once. */
  warmUp(model: string): void;
}

/** What the environment says about models. Read and validated by `config.ts`; nothing here reads `process.env`. */
export interface ModelConfig {
  /** TENDON_MODEL */
  readonly model?: string | undefined;
  readonly openaiKey?: string | undefined;
  readonly anthropicKey?: string | undefined;
  readonly googleKey?: string | undefined;
  /** OLLAMA_HOST; `http://127.0.0.1:11434` when left out. */
  readonly ollamaUrl?: string | undefined;
  readonly compatibleUrl?: string | undefined;
  readonly compatibleKey?: string | undefined;
  /** OPENAI_BASE_URL and the like, with their version segment (`…/v1`). */
  readonly baseUrls?: { readonly openai?: string | undefined; readonly anthropic?: string | undefined; readonly google?: string | undefined } | undefined;
  /** How long a request may stay without its first part, in milliseconds; 120000 when left out. */
  readonly firstChunkTimeoutMs?: number | undefined;
  /** How long a stream may pause between two parts, in milliseconds; 120000 when left out. */
  readonly idleTimeoutMs?: number | undefined;
  /** How much history goes to the model, in characters; 400000 when left out, 60000 for Ollama. */
  readonly historyChars?: number | undefined;
}
