import type { GatewayRequest, SessionEnd } from '@tendon/protocol';
import type { CallDesk } from '../calls/call-desk.ts';
import { acknowledged } from './acknowledgement.ts';
import type { GatewaySocket } from './gateway-socket.ts';
import type { Outbox } from './outbox.ts';
import type { Greeting } from './supervisor.ts';

const HELLO_TIMEOUT_MS = 15_000;

export interface GreetingParts {
  readonly hello: GatewayRequest<'gateway:hello'>;
  readonly desk: CallDesk;
  readonly outbox: Outbox;
  /** Ends what is left of a session. */
  readonly endSession: (end: SessionEnd) => void;
}

/**
 * Says who this is and what its journal holds, and does what the server answers: forget what it has for good, end what it no longer wants.
 * `send` needs nothing here: those calls come as dispatches, and results that wait go out with the outbox.
 */
export async function greetServer(socket: GatewaySocket, parts: GreetingParts): Promise<Greeting> {
  const answer = await acknowledged('gateway:hello', socket.request('gateway:hello', parts.hello, HELLO_TIMEOUT_MS));
  if (answer.kind === 'silent') return { kind: 'retry', cause: `the greeting was not answered: ${answer.cause}` };
  if (answer.kind === 'refused') {
    if (answer.isRetryable) return { kind: 'retry', cause: `${answer.code}: ${answer.message}`, retryAfterMs: answer.retryAfterMs };
    return { kind: 'refused', reason: { code: answer.code, message: answer.message } };
  }
  for (const callId of answer.data.forget) {
    parts.outbox.remove(callId);
    await parts.desk.forget(callId);
  }
  for (const callId of answer.data.cancel) parts.desk.cancel({ callId });
  for (const end of answer.data.over ?? []) parts.endSession(end);
  return { kind: 'ready' };
}
