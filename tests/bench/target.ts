import type { StreamReader } from './stream-reader.ts';

/** What is measured: Tendon, and under it the floor, with the same scripted model and the same client library. */
export interface Target {
  readonly name: string;
  /** Conversations that take one prompt at a time, ready before the clock starts. */
  open(count: number): Promise<Conversation[]>;
}

export interface Conversation {
  /** Sends a prompt; `reader` gets the answer's text as it arrives. Resolves with the moment of the acknowledgement. */
  prompt(text: string, reader: StreamReader): Promise<{ readonly sentAt: number; readonly acknowledgedAt: number }>;
  /** Resolves when the answer to the latest prompt is over. */
  settled(): Promise<void>;
  /** A prompt whose answer asks for a command, approved at once; milliseconds until the final answer, less the command's own time. */
  toolRoundTrip(): Promise<number>;
}
