import type { ScriptedUsage } from './script.ts';

/** What a stream says, one at a time; a dialect turns each into the bytes of its API. */
export type StreamEvent =
  | { readonly type: 'start' }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'call'; readonly id: string; readonly name: string }
  /** A piece of the input of the call with this id. */
  | { readonly type: 'input'; readonly id: string; readonly text: string }
  | { readonly type: 'finish'; readonly usage: ScriptedUsage; readonly hasCalls: boolean }
  | { readonly type: 'error'; readonly message: string };

/** An API that the scripted model speaks. `encode` keeps what it must remember of one stream. */
export interface Dialect {
  readonly name: 'chat' | 'messages' | 'responses';
  readonly path: string;
  /** Whether pieces of several calls may alternate in one stream. */
  readonly interleavesCalls: boolean;
  newStream(model: string): (event: StreamEvent) => string;
  errorBody(status: number, message: string): unknown;
}

export function serverSentEvent(data: unknown, event?: string): string {
  const line = typeof data === 'string' ? data : JSON.stringify(data);
  return event === undefined ? `data: ${line}\n\n` : `event: ${event}\ndata: ${line}\n\n`;
}
