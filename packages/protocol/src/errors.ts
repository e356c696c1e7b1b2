/**
 * The one table of refusals: what a code means, who can mend it and whether trying again may help.
 * Nobody branches on message text.
 */
export const ERROR_CODES = {
  invalid_payload: { retry: false, fault: 'caller', text: 'The request has a wrong shape.' },
  forbidden: { retry: false, fault: 'caller', text: 'This key is not good for that. Use one that is, or sign in.' },
  not_found: { retry: false, fault: 'caller', text: 'There is no such thing, or it is not yours.' },
  conflict: { retry: false, fault: 'caller', text: 'The state has changed since you looked.' },
  too_large: { retry: false, fault: 'caller', text: 'It is over the size limit. Send less.' },
  rate_limited: { retry: true, fault: 'caller', text: 'Too many requests. Wait a moment.' },
  unavailable: { retry: true, fault: 'server', text: 'The server cannot do this right now. Try again.' },
  internal: { retry: true, fault: 'server', text: 'Something broke in the server. Its log has the details.' },
} as const satisfies Record<string, ErrorRow>;

/** Why a connection is refused at the handshake. Terminal ones end a supervisor; the others wait and try again. */
export const HANDSHAKE_CODES = {
  unauthorized: { retry: false, fault: 'caller', text: 'Sign in again, or give a valid key.' },
  forbidden_origin: { retry: false, fault: 'caller', text: 'This address may not use the server. Add it to TENDON_ALLOWED_ORIGINS.' },
  unsupported_protocol: { retry: false, fault: 'caller', text: 'Client and server speak different versions. Update the older one.' },
  rate_limited: { retry: true, fault: 'caller', text: 'Too many attempts. Wait a moment.' },
  shutting_down: { retry: true, fault: 'server', text: 'The server is restarting.' },
} as const satisfies Record<string, ErrorRow>;

/** The code of the notice with which a relay ends a page's connection when the one behind it has gone. */
export const RELAY_CUT_OFF = 'relay_cut_off';

interface ErrorRow {
  /** Whether the same request may succeed later, unchanged. */
  readonly retry: boolean;
  readonly fault: 'caller' | 'server';
  /** What the user is told. */
  readonly text: string;
}

export type ErrorCode = keyof typeof ERROR_CODES;
export type HandshakeCode = keyof typeof HANDSHAKE_CODES;

export interface ProtocolError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: unknown;
}

export type Result<T> = { readonly ok: true; readonly data: T } | { readonly ok: false; readonly error: ProtocolError };

export function success<T>(data: T): Result<T> {
  return { ok: true, data };
}

export function refusal(code: ErrorCode, message: string = ERROR_CODES[code].text, details?: unknown): { ok: false; error: ProtocolError } {
  return { ok: false, error: details === undefined ? { code, message } : { code, message, details } };
}
