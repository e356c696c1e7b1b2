import { randomUUID } from 'node:crypto';
import type { Log } from '@tendon/protocol';
import { type ErrorCode, type ProtocolError, type Result, refusal, type Scope, validate } from '@tendon/protocol';
import type { Socket } from 'socket.io';
import type { z } from 'zod';
import type { Seat } from '../crowd/places.ts';
import { PacketFault } from './packet-codec.ts';
import type { TokenBucket } from './token-bucket.ts';

/** One event that clients may send: its schema and what it does. */
export interface Route<Connection> {
  readonly schema: z.ZodType;
  /** False for an event that may be lost: it needs no acknowledgement and has a meter of its own. */
  readonly isAcknowledged: boolean;
  /** What a credential must be good for. */
  readonly scope?: Scope;
  /** By it a person holds the agent: it waits for nothing that others of theirs wait for. */
  readonly isRein?: boolean;
  handle(connection: Connection, payload: unknown): Promise<Result<unknown>>;
}

export type Routes<Connection> = ReadonlyMap<string, Route<Connection>>;

export interface RefusedEvent {
  readonly code: ErrorCode;
  /** The event, or a word for what is none of ours: what a stranger made up stays out of the log, a credential could stand there too. */
  readonly name: string;
  /** It was too much of what may be lost. */
  readonly isLoss: boolean;
}

/** A place; or none, because all are taken, or the credential has ended while it waited for one. */
export type Turn = Seat | { readonly ok: false; readonly crowd: 'ended' };

export interface RequestDesk<Connection> {
  readonly routes: Routes<Connection>;
  readonly connection: Connection;
  /** What the credential behind the connection is good for; undefined: everything. */
  readonly scopes?: readonly Scope[] | undefined;
  readonly meters: { readonly events: TokenBucket; readonly output: TokenBucket };
  /** Where each request of this person waits for its turn. */
  readonly place: (isRein: boolean) => Promise<Turn>;
  readonly onRefused: (refused: RefusedEvent) => void;
  readonly log: Log;
}

interface Packet {
  readonly name: unknown;
  readonly payloads: readonly unknown[];
  readonly acknowledge: ((result: Result<unknown>) => void) | undefined;
}

type Admission<Connection> =
  | { readonly ok: true; readonly data: { readonly route: Route<Connection>; readonly payload: unknown } }
  | { readonly ok: false; readonly error: ProtocolError };

/**
 * The one wrapper around every handler. Whatever a client sends ends in exactly one acknowledgement and never in an exception:
 * meter, acknowledgement, event name, number of arguments, schema, a place, then the handler. Handlers start in order of arrival and run side
 * by side, as many as a person has places.
 */
export function serveRequests<Connection>(socket: Socket, desk: RequestDesk<Connection>): void {
  socket.onAny((...args: unknown[]) => {
    void respond(readPacket(args), desk);
  });
}

/** Socket.IO puts the acknowledgement last; JSON has no functions, so a function there is always the acknowledgement. */
function readPacket(args: readonly unknown[]): Packet {
  const last = args.at(-1);
  const hasAcknowledge = typeof last === 'function';
  return {
    name: hasAcknowledge && args.length === 1 ? undefined : args[0],
    payloads: args.slice(1, hasAcknowledge ? -1 : undefined),
    acknowledge: hasAcknowledge ? (last as Packet['acknowledge']) : undefined,
  };
}

async function respond<Connection>(packet: Packet, desk: RequestDesk<Connection>): Promise<void> {
  const admitted = admitSafely(packet, desk);
  if (!admitted.ok) {
    acknowledge(packet, desk, admitted);
    return;
  }
  const { route, payload } = admitted.data;
  acknowledge(packet, desk, await run(route, payload, desk));
}

/** A check that breaks must cost its request alone: nobody would catch it, and that would end the process. */
function admitSafely<Connection>(packet: Packet, desk: RequestDesk<Connection>): Admission<Connection> {
  try {
    return admit(packet, desk);
  } catch (error) {
    return internal(desk.log, error);
  }
}

function admit<Connection>(packet: Packet, desk: RequestDesk<Connection>): Admission<Connection> {
  const route = typeof packet.name === 'string' ? desk.routes.get(packet.name) : undefined;
  const metered = route && !route.isAcknowledged ? desk.meters.output.take(outputCost(packet)) : desk.meters.events.take(1);
  if (!metered.ok) return refusal('rate_limited', undefined, { retryAfterMs: metered.retryAfterMs });
  const [payload] = packet.payloads;
  const fault = packet.payloads.find((item) => item instanceof PacketFault);
  if (fault instanceof PacketFault) return fault.code === 'too_large' ? refusal('too_large', fault.message) : invalid(fault.message);
  if (!route) return invalid('there is no such event');
  if (!packet.acknowledge && route.isAcknowledged) return invalid('this event needs an acknowledgement');
  if (packet.payloads.length !== 1) return invalid(`an event carries one object, not ${packet.payloads.length} arguments`);
  if (route.scope && desk.scopes && !desk.scopes.includes(route.scope))
    return refusal('forbidden', `This key is not good for "${route.scope}". Use one that is, or sign in.`);
  const checked = validate(route.schema, payload);
  return checked.ok ? { ok: true, data: { route, payload: checked.data } } : checked;
}

function invalid(reason: string): { ok: false; error: ProtocolError } {
  return refusal('invalid_payload', reason, [{ path: '', reason }]);
}

/** At least a kilobyte, so that a flood of empty output costs as well. Text of a command, or a picture of a browser. */
function outputCost(packet: Packet): number {
  const payload: unknown = packet.payloads[0];
  if (typeof payload !== 'object' || payload === null) return 1_024;
  const texts = ['text' in payload ? payload.text : undefined, 'image' in payload ? payload.image : undefined];
  return texts.reduce((cost: number, text) => cost + (typeof text === 'string' ? text.length : 0), 1_024);
}

async function run<Connection>(route: Route<Connection>, payload: unknown, desk: RequestDesk<Connection>): Promise<Result<unknown>> {
  const seat = await desk.place(route.isRein === true);
  if (!seat.ok && seat.crowd === 'ended') return refusal('forbidden', 'This credential has ended. Sign in again.');
  if (!seat.ok) return refusal('rate_limited', 'Too many requests are under way.', { retryAfterMs: seat.retryAfterMs });
  try {
    return await route.handle(desk.connection, payload);
  } catch (error) {
    return internal(desk.log, error);
  } finally {
    seat.leave();
  }
}

function internal(log: Log, error: unknown): { ok: false; error: ProtocolError } {
  const logId = randomUUID();
  log.error({ event: 'handler_failed', logId, err: error }, 'a request handler threw');
  return refusal('internal', `Something broke in the server. Its log has the details under ${logId}.`, { logId });
}

function acknowledge<Connection>(packet: Packet, desk: RequestDesk<Connection>, result: Result<unknown>): void {
  if (!result.ok) desk.onRefused(refusedEvent(packet, desk, result.error.code));
  if (!packet.acknowledge) return;
  try {
    packet.acknowledge(result);
  } catch (error) {
    desk.onRefused(refusedEvent(packet, desk, 'internal'));
    packet.acknowledge(internal(desk.log, error));
  }
}

function refusedEvent<Connection>({ name }: Packet, { routes }: RequestDesk<Connection>, code: ErrorCode): RefusedEvent {
  const route = typeof name === 'string' ? routes.get(name) : undefined;
  return { code, name: route ? String(name) : '[unknown]', isLoss: code === 'rate_limited' && route?.isAcknowledged === false };
}
