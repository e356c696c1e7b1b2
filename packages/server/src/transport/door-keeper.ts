import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { HandshakeCode, Log } from '@tendon/protocol';
import type { RefusalLines } from '../refusal-lines.ts';
import type { CrowdRefusal, DoorVerdict, Entrance, UnderWay } from './options.ts';

export interface DoorKeeper {
  checkDoor(request: IncomingMessage): DoorVerdict;
  /** Where a request really came from. */
  addressOf(request: IncomingMessage): string;
  /** Why no connection may be made by this request now. */
  crowdAt(request: IncomingMessage): CrowdRefusal | undefined;
  /** `closing` lets running connections fetch their last packets; `closed` lets nobody in. */
  readonly phase: () => 'open' | 'closing' | 'closed';
  readonly entrance: Entrance | undefined;
  readonly underWay: UnderWay | undefined;
  /** For how long what this polling session posts is to be left unread. */
  readonly holdPostMs: (sessionId: string) => number;
  readonly stalledResponseMs: number;
  readonly onRefused: (code: HandshakeCode) => void;
  readonly refusalLines: Pick<RefusalLines, 'tellDoor'>;
  readonly log: Log;
}

type Middleware = (request: IncomingMessage, response: unknown, next: () => void) => void;

const AWAY = { ok: false, status: 503, code: 'shutting_down', message: 'The server is restarting.' } as const;
const NO_JSONP = { ok: false, status: 400, code: 'unsupported_protocol', message: 'Polling by JSONP is not served: leave "j" out.' } as const;

/**
 * Middleware of the engine. Socket.IO's own `allowRequest` is asked only when a connection is made; this runs before every
 * poll, every post and every upgrade. A refused request never reaches the engine.
 */
export function doorMiddleware(keeper: DoorKeeper): Middleware {
  return (request, response, next) => {
    const verdict = judge(keeper, request);
    if (!verdict.ok) {
      keeper.refusalLines.tellDoor({ ...verdict, address: keeper.addressOf(request) });
      refuse(keeper, { request, response, verdict });
      return;
    }
    const letIn = (): void => {
      // It may have waited.
      const late = isAway(keeper, request);
      const crowd = sessionIdOf(request) === undefined ? keeper.crowdAt(request) : undefined;
      if (late) refuse(keeper, { request, response, verdict: AWAY });
      else if (crowd) refuseForCrowd(keeper, { request, response, refusal: crowd });
      else enter(keeper, { request, response, next });
    };
    if (!keeper.entrance) letIn();
    else keeper.entrance.admit(request, { letIn, refuse: (refusal) => refuseForCrowd(keeper, { request, response, refusal }) });
  };
}

interface Crowded {
  readonly request: IncomingMessage;
  readonly response: unknown;
  readonly refusal: CrowdRefusal;
}

function refuseForCrowd(keeper: DoorKeeper, { request, response, refusal: { status, message, retryAfterS } }: Crowded): void {
  refuse(keeper, { request, response, verdict: { ok: false, status, code: 'rate_limited', message }, retryAfterS });
}

interface Entering {
  readonly request: IncomingMessage;
  readonly response: unknown;
  readonly next: () => void;
}

function enter(keeper: DoorKeeper, { request, response, next }: Entering): void {
  const { stalledResponseMs, holdPostMs, underWay } = keeper;
  if (!(response instanceof ServerResponse)) {
    next();
    return;
  }
  // A poll whose answer nobody reads would keep its bytes for as long as the TCP connection lives.
  response.setTimeout(stalledResponseMs, () => response.destroy());
  if (request.method !== 'POST') {
    next();
    return;
  }
  const begin = (): void => {
    if (underWay) void underWay.begin(request, response, { letIn: next, refuse: (refusal) => refuseForCrowd(keeper, { request, response, refusal }) });
    else next();
  };
  const sessionId = sessionIdOf(request);
  const holdMs = sessionId === undefined ? 0 : holdPostMs(sessionId);
  if (holdMs <= 0) {
    begin();
    return;
  }
  const timer = setTimeout(begin, holdMs).unref();
  response.once('close', () => clearTimeout(timer));
}

function isAway(keeper: DoorKeeper, request: IncomingMessage): boolean {
  const phase = keeper.phase();
  return phase === 'closed' || (phase === 'closing' && sessionIdOf(request) === undefined);
}

/** Undefined for a request that begins a session. */
function sessionIdOf(request: IncomingMessage): string | undefined {
  return queryOf(request)['sid'] || undefined;
}

/**
 * The query as the engine has read it just before, and goes by: read in another way, a name in escapes or one that stands there twice would say one
 * thing here and another one there.
 */
function queryOf(request: IncomingMessage): Readonly<Record<string, string | undefined>> {
  return (request as { readonly _query?: Record<string, string> })._query ?? {};
}

function judge(keeper: DoorKeeper, request: IncomingMessage): DoorVerdict {
  if (isAway(keeper, request)) return AWAY;
  // Its bodies are packets in another wrapping, which nobody here looks into (T21), and its answers scripts.
  if (queryOf(request)['j'] !== undefined) return NO_JSONP;
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
  readonly retryAfterS?: number;
}

function refuse(keeper: DoorKeeper, { request, response, verdict, retryAfterS }: Refusal): void {
  keeper.onRefused(verdict.code);
  const body = JSON.stringify({ code: verdict.code, message: verdict.message });
  if (response instanceof ServerResponse) {
    if (retryAfterS !== undefined) response.setHeader('Retry-After', retryAfterS);
    response.writeHead(verdict.status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', Connection: 'close' });
    response.end(body);
    return;
  }
  const { socket } = request;
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  const head = `HTTP/1.1 ${verdict.status} ${STATUS_CODES[verdict.status] ?? 'Refused'}\r\nConnection: close\r\nContent-Type: application/json\r\n`;
  const retry = retryAfterS === undefined ? '' : `Retry-After: ${retryAfterS}\r\n`;
  socket.end(`${head}${retry}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
