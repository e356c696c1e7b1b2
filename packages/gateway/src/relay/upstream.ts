import { AGENT_NAMESPACE, RELAY_CUT_OFF, tryParse } from '@tendon/protocol';
import { z } from 'zod';
import { CONNECT_TIMEOUT_MS, dial, dialFault, hangUp } from '../link/dial.ts';

export interface UpstreamOptions {
  readonly serverUrl: string;
  readonly token: string;
  readonly client: { readonly name: string; readonly version: string };
}

/** Why the server could not be reached, or did not let us in: as a client of the server would be told. */
export interface UpstreamRefusal {
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

export interface UpstreamEvents {
  connected(): void;
  /** Once at most, before or after `connected`. Nothing is heard afterwards. */
  ended(refusal: UpstreamRefusal): void;
  notice(name: string, payload: unknown): void;
}

/** A connection to the server's `/agent`, made for one page and tried once. */
export interface Upstream {
  /** `answered` is called once: with the raw answer, or undefined when none came in time or the connection ended before. In the order in which packets came. */
  ask(name: string, payload: unknown, answered: (answer: unknown) => void): void;
  close(): void;
}

/** How a connection ended, where there is more to say than that it did. */
const ENDS: Readonly<Record<string, string>> = { 'io server disconnect': ': the server ended it', 'ping timeout': ': it fell silent' };
const SILENCE = 'it does not answer';
/** The page gives a request up after 10 s. */
const ANSWER_TIMEOUT_MS = 9_500;

const refusalSchema = z.object({ code: z.string().max(100), message: z.string().max(2_000), retryAfterMs: z.number().nonnegative().optional() });

export function openUpstream({ serverUrl, token, client }: UpstreamOptions, events: UpstreamEvents): Upstream {
  const socket = dial({ serverUrl, namespace: AGENT_NAMESPACE, token, client });
  let hasEnded = false;
  const end = (refusal: UpstreamRefusal | undefined): void => {
    if (hasEnded) return;
    hasEnded = true;
    clearTimeout(deadline);
    hangUp(socket);
    if (refusal) events.ended(refusal);
  };
  const { origin } = new URL(serverUrl);
  const unreachable = (cause: string): void => {
    end({ code: 'unavailable', message: `The relay on this machine cannot reach ${origin}: ${cause}. It tries again when this page does.` });
  };
  const deadline = setTimeout(() => unreachable(SILENCE), CONNECT_TIMEOUT_MS);
  socket.on('connect', () => {
    clearTimeout(deadline);
    events.connected();
  });
  socket.on('connect_error', (error: Error & { data?: unknown }) => {
    const refusal = tryParse(refusalSchema, error.data);
    if (refusal.success) end(refusal.data);
    else unreachable(dialFault(error));
  });
  socket.on('disconnect', (reason) =>
    end({ code: RELAY_CUT_OFF, message: `The relay on this machine has lost its connection to ${origin}${ENDS[reason] ?? ''}.` }),
  );
  // What goes wrong in passing something on ends this connection, and not the process.
  const guarded = (task: () => void): void => {
    try {
      task();
    } catch (error) {
      unreachable(`it sent what could not be passed on (${error instanceof Error ? error.message : 'unknown error'})`);
    }
  };
  // Names are strings only if the server is kind.
  socket.onAny((...args: unknown[]) => guarded(() => events.notice(String(args[0]), args[1])));
  return {
    // With a callback and not a promise: what follows an answer must not overtake it.
    ask: (name, payload, answered) =>
      void socket.timeout(ANSWER_TIMEOUT_MS).emit(name, payload, (error: unknown, answer: unknown) => guarded(() => answered(error ? undefined : answer))),
    close: () => end(undefined),
  };
}
