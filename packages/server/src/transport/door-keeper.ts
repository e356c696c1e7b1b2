import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Logger } from 'pino';
import type { DoorVerdict } from './options.ts';

export interface DoorKeeper {
  checkDoor(request: IncomingMessage): DoorVerdict;
  /** `closing` lets running connections fetch their last packets; `closed` lets nobody in. */
  readonly phase: () => 'open' | 'closing' | 'closed';
  readonly stalledResponseMs: number;
  readonly log: Logger;
}

type Middleware = (request: IncomingMessage, response: unknown, next: () => void) => void;

const AWAY: DoorVerdict = { ok: false, status: 503, code: 'shutting_down', message: 'The server is restarting.' };

/**
 * Middleware of the engine. Socket.IO's own `allowRequest` is asked only when a connection is made; this runs before every
 * poll, every post and every upgrade. A refused request never reaches the engine.
 */
export function doorMiddleware(keeper: DoorKeeper): Middleware {
  return (request, response, next) => {
    const verdict = judge(keeper, request);
    if (!verdict.ok) {
      keeper.log.info({ event: 'door_refused', code: verdict.code, status: verdict.status, address: request.socket.remoteAddress }, verdict.message);
      refuse({ request, response, verdict });
      return;
    }
    // A poll whose answer nobody reads would keep its bytes for as long as the TCP connection lives.
    if (response instanceof ServerResponse) response.setTimeout(keeper.stalledResponseMs, () => response.destroy());
    next();
  };
}

function judge(keeper: DoorKeeper, request: IncomingMessage): DoorVerdict {
  const phase = keeper.phase();
  if (phase === 'closed') return AWAY;
  if (phase === 'closing' && !/[?&]sid=/.test(request.url ?? '')) return AWAY;
  try {
    return keeper.checkDoor(request);
  } catch (error) {
    keeper.log.error({ event: 'door_failed', err: error }, 'the door check failed');
    return { ok: false, status: 500, code: 'forbidden_origin', message: 'The request could not be checked.' };
  }
}

interface Refusal {
  readonly request: IncomingMessage;
  readonly response: unknown;
  readonly verdict: Extract<DoorVerdict, { ok: false }>;
}

function refuse({ request, response, verdict }: Refusal): void {
  const body = JSON.stringify({ code: verdict.code, message: verdict.message });
  if (response instanceof ServerResponse) {
    response.writeHead(verdict.status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', Connection: 'close' });
    response.end(body);
    return;
  }
  const { socket } = request;
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  const head = `HTTP/1.1 ${verdict.status} ${STATUS_CODES[verdict.status] ?? 'Refused'}\r\nConnection: close\r\nContent-Type: application/json\r\n`;
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
