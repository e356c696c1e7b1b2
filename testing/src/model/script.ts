import type { Gate } from '../gate.ts';

/** One tool call of the model. `input` as text is sent as it is, also when it is not JSON. */
export interface ScriptedCall {
  readonly name: string;
  readonly input: unknown;
  /** Made up when left out. */
  readonly id?: string;
  /** In how many pieces the input is streamed; 3 when left out. */
  readonly pieces?: number;
}

/** What the model does next in its answer. */
export type Step =
  | { readonly do: 'text'; readonly text: string }
  | { readonly do: 'reasoning'; readonly text: string }
  /** Parallel calls; their inputs are streamed in turns where the API allows it. */
  | { readonly do: 'calls'; readonly calls: readonly ScriptedCall[] }
  | { readonly do: 'tokens'; readonly count: number; readonly everyMs: number; readonly text: (index: number) => string }
  /** Waits until the test opens the gate. */
  | { readonly do: 'gate'; readonly gate: Gate }
  /** An error event of the API in the middle of the stream, which then ends. */
  | { readonly do: 'error'; readonly message: string }
  /** The connection is reset. */
  | { readonly do: 'cut' }
  /** The stream ends cleanly, but without its last words (no finish reason). */
  | { readonly do: 'end' }
  /** Nothing more comes, and the connection stays open until the client leaves. */
  | { readonly do: 'hang' };

export interface ScriptedUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** One answer to one request. */
export type Reply =
  | { readonly status: number; readonly message?: string; readonly headers?: Readonly<Record<string, string>> }
  | {
      readonly steps: readonly Step[];
      readonly usage?: ScriptedUsage;
      /** Passed before the first byte of the answer, its status included. */
      readonly firstByte?: Gate;
    };

/** Text, one delta per argument. */
export function says(...deltas: string[]): Step[] {
  return deltas.map((text) => ({ do: 'text', text }));
}

export function thinks(...deltas: string[]): Step[] {
  return deltas.map((text) => ({ do: 'reasoning', text }));
}

/** One tool call, or several at once. */
export function calls(...several: ScriptedCall[]): Step {
  return { do: 'calls', calls: several };
}

export function waitsFor(gate: Gate): Step {
  return { do: 'gate', gate };
}

/** `count` tokens, one every `everyMs` (0: as fast as the reader takes them); each carries its index and the moment it was sent. */
export function stampedTokens(count: number, everyMs: number): Step {
  return { do: 'tokens', count, everyMs, text: (index) => `${index}@${epochMs().toFixed(3)} ` };
}

/** Milliseconds since 1970 with their fraction; the same clock in every process of a machine. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}

export interface TokenStamp {
  readonly index: number;
  readonly sentAt: number;
}

/** Reads what `stampedTokens` wrote. A token that is not whole yet is left out. */
export function readTokenStamps(text: string): TokenStamp[] {
  return [...text.matchAll(/(\d+)@(\d+\.\d+) /g)].map((match) => ({ index: Number(match[1]), sentAt: Number(match[2]) }));
}
