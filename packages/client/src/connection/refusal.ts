import { type Fault, HANDSHAKE_CODES } from '@tendon/protocol';
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

/** Reads socket.io's `disconnect`. A server that said goodbye beforehand is believed. */
export function readDisconnect(reason: string, lastNotice: string | undefined): Fault {
  if (lastNotice === 'shutting_down') return { code: 'shutting_down', message: HANDSHAKE_CODES.shutting_down.text };
  if (reason === 'io server disconnect') return { code: 'unavailable', message: 'The server closed the connection.' };
  return { code: 'unavailable', message: 'The connection to the server was lost.' };
}
