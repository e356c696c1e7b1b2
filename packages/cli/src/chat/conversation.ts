import { createInterface } from 'node:readline';
import type { ConnectionState, Store } from '@tendon/client';
import type { ChatSession } from './chat-session.ts';

/** A second Ctrl+C within this time leaves, whatever the agent does. */
const SECOND_INTERRUPT_MS = 1_500;

/** Where lines come from. */
export interface ChatInput {
  readonly input: NodeJS.ReadableStream;
  /** The terminal of a person, where their typing is shown; undefined for a script. */
  readonly echo: NodeJS.WritableStream | undefined;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** Calls back when nobody sees what is said any more. */
  readonly whenUnread?: (task: () => void) => void;
}

/** Reads lines until the input ends and the agent has nothing more to do, the person leaves or sees no more, the session is gone, or the server lets this client in no more. */
export async function converse(session: ChatSession, connection: Store<ConnectionState>, { input, echo, now, whenUnread }: ChatInput): Promise<void> {
  const lines = createInterface({ input, ...(echo ? { output: echo, prompt: '', terminal: true } : {}) });
  const left = Promise.withResolvers<void>();
  whenUnread?.(left.resolve);
  const waiting: string[] = [];
  let isEnding = false;
  const canTake = () => !session.isBusy || session.pending.kind !== 'nothing';
  /** Lines of a script wait their turn; those of a person are queued by the server, where they can be seen. */
  const look = () => {
    if (session.ending !== undefined || connection.get().kind === 'failed') return left.resolve();
    if (waiting.length > 0 && canTake()) void session.line(String(waiting.shift()));
    else if (isEnding && waiting.length === 0 && canTake()) left.resolve();
  };
  const stopLooking = [session.subscribe(look), connection.subscribe(look)];
  if (echo) takeTyping(session, { lines, input, now });
  else
    lines.on('line', (line) => {
      waiting.push(line);
      look();
    });
  let isStopping = false;
  lines.on('SIGINT', () => {
    if (isStopping || !session.isBusy) return left.resolve();
    isStopping = true;
    void session.stop().finally(() => setTimeout(() => (isStopping = false), SECOND_INTERRUPT_MS).unref());
  });
  lines.on('close', () => {
    isEnding = true;
    if (echo) left.resolve();
    else look();
  });
  await left.promise;
  for (const stop of stopLooking) stop();
  lines.close();
}

interface Typing {
  readonly lines: ReturnType<typeof createInterface>;
  readonly input: NodeJS.ReadableStream;
  readonly now: () => number;
}

/** What may still come of a word whose first letter has decided. */
const RESTS = { y: 'es', a: 'lways' } as const;

/**
 * Hands over what a person types, with when they began it. An approval needs one key and no Enter: `y` or `a` on an empty line. `n` waits for
 * Enter, for a reason may follow.
 */
function takeTyping(session: ChatSession, { lines, input, now }: Typing): void {
  let begunAt: number | undefined;
  let rest: string | undefined;
  lines.on('line', (line) => {
    if (line === '' || line !== rest) void session.line(line, begunAt ?? now());
    [begunAt, rest] = [undefined, undefined];
  });
  // After readline's own listener: the line holds the key already.
  input.on('keypress', (text: string | undefined) => {
    begunAt = lines.line === '' ? undefined : (begunAt ?? now());
    if (begunAt === undefined || session.pending.kind !== 'approval' || (text !== 'y' && text !== 'a') || lines.line !== text) return;
    lines.write(null, { ctrl: true, name: 'u' });
    void session.line(text, begunAt);
    [begunAt, rest] = [undefined, RESTS[text]];
  });
}
