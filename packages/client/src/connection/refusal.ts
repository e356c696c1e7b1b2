import { AGENT_NOTICES, type Fault, HANDSHAKE_CODES, RELAY_CUT_OFF, tryParse } from '@tendon/protocol';
import { retryAfterMs } from '../backoff.ts';

export interface ConnectRefusal {
  readonly reason: Fault;
  readonly retryAfterMs: number;
}

/**
 * Reads socket.io's `connect_error`: the server's own refusal carries `data: { code, message, retryAfterMs? }`, anything else
 * means that no server of ours was reached. A code that this version does not know is one to wait and try again.
 */
export function readRefusal(error: Error): ConnectRefusal {
  const data: unknown = 'data' in error ? error.data : undefined;
  if (typeof data !== 'object' || data === null || !('code' in data) || typeof data.code !== 'string') return { reason: unreachable(error), retryAfterMs: 0 };
  const known = Object.hasOwn(HANDSHAKE_CODES, data.code)
    ? HANDSHAKE_CODES[data.code as keyof typeof HANDSHAKE_CODES].text
    : 'The server refused the connection.';
  const message = 'message' in data && typeof data.message === 'string' && data.message !== '' ? data.message : known;
  return { reason: { code: data.code, message }, retryAfterMs: retryAfterMs(data) };
}

function unreachable(error: Error): Fault {
  const status = 'description' in error && typeof error.description === 'number' ? error.description : 0;
  if (status >= 400)
    return {
      code: 'unavailable',
      message: `The server's address answered with HTTP status ${status}. Check the address, and TENDON_ALLOWED_ORIGINS if it is 403.`,
    };
  return { code: 'unavailable', message: 'The server cannot be reached.' };
}

/** A notice that says why the connection is about to end. */
export function readFarewell(payload: unknown): Fault | undefined {
  const notice = tryParse(AGENT_NOTICES['server:notice'], payload);
  if (!notice.success) return undefined;
  if (notice.data.code === 'shutting_down') return { code: 'shutting_down', message: HANDSHAKE_CODES.shutting_down.text };
  return notice.data.code === RELAY_CUT_OFF ? { code: RELAY_CUT_OFF, message: notice.data.message } : undefined;
}

/** Reads socket.io's `disconnect`. Who said goodbye beforehand is believed. */
export function readDisconnect(reason: string, farewell: Fault | undefined): Fault {
  if (farewell) return farewell;
  if (reason === 'io server disconnect') return { code: 'unavailable', message: 'The server closed the connection.' };
  return { code: 'unavailable', message: 'The connection to the server was lost.' };
}
