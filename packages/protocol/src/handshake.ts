import { z } from 'zod';
import type { HandshakeCode } from './errors.ts';

export const PROTOCOL_VERSION = 1;
export const SOCKET_PATH = '/socket.io/';
export const AGENT_NAMESPACE = '/agent';
export const GATEWAY_NAMESPACE = '/gateway';

/** What a socket sends as `auth`. The credential travels here and nowhere else. */
export const handshakeSchema = z.object({
  protocol: z.number().int(),
  token: z.string().min(1).max(16_384).optional(),
  client: z.object({ name: z.string().min(1).max(100), version: z.string().min(1).max(50) }),
});

export type Handshake = z.infer<typeof handshakeSchema>;

/** `data` of the `connect_error` with which a handshake is refused. */
export interface HandshakeRefusal {
  readonly code: HandshakeCode;
  readonly message: string;
  readonly retryAfterMs?: number;
}
