import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import { ERROR_CODES, HANDSHAKE_CODES, type HandshakeCode, type PayloadFault, type Scope, validate } from '@tendon/protocol';
import type { Context } from 'hono';
import { z } from 'zod';
import type { AuditAction } from '../auth/audit-log.ts';
import type { Auth } from '../auth/auth.ts';
import type { Principal } from '../auth/principal.ts';
import type { Places } from '../crowd/places.ts';
import type { Log } from '../log.ts';
import type { CredentialPace } from './credential-pace.ts';
import type { Door } from './door.ts';

/* What every route does with a request: who asks, what the body says, and how a refusal reads. */

export type HttpEnv = {
  Bindings: HttpBindings;
  Variables: {
    /** The place of whoever asks (rule H33), once they are known. */
    readonly seat?: { leave(): void };
    /** What was sent, once it has come. */
    readonly body?: Promise<Body>;
    /** Who asks, once that is known; also when it is refused for that. */
    readonly asker?: Principal;
    /** Why this request is refused, for the count (H34). */
    readonly refusal?: string;
  };
};
type RouteContext = Context<HttpEnv>;
type Body = { readonly ok: true; readonly value: unknown } | { readonly ok: false };

const BODY_BYTES = 16 * 1_024;

/** What a key or a machine is called. It is shown in terminals and pages: nothing in it may act there, or turn the text around. */
export const nameSchema = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]*$/u, 'may hold no control characters');

/** What a person signs in with, in one spelling. */
export const emailSchema = z
  .string()
  .trim()
  .max(254)
  .transform((email) => email.normalize('NFC').toLowerCase())
  .pipe(z.email('give an address such as ada@example.org'));

export function nothingHere(context: RouteContext): Response {
  return fault(context, 404, { code: 'not_found', message: 'There is nothing at this address.' });
}

export function tooLarge(context: RouteContext): Response {
  return fault(context, 413, { code: 'too_large', message: `The request has more than ${BODY_BYTES / 1_024} KiB.` });
}

const STATUS = { unauthorized: 401, forbidden_origin: 403, rate_limited: 429, shutting_down: 503, unsupported_protocol: 400 } as const;

/** The one answer for every refusal of identity. */
export function refused(context: RouteContext, code: HandshakeCode): Response {
  return fault(context, STATUS[code], { code, message: HANDSHAKE_CODES[code].text });
}

/** What every route needs. */
export interface DoorAndAuth {
  readonly door: Door;
  readonly auth: Auth;
  readonly pace: CredentialPace;
  readonly people: Places;
  readonly log: Log;
}

/**
 * Who sent this request, when they have a place for it, or the answer that refuses it. A body is waited for first: it may take half a minute, and
 * nothing is done with a credential that has ended meanwhile (H14).
 */
export async function identify(context: RouteContext, parts: DoorAndAuth, scope: Scope): Promise<Principal | Response> {
  const { auth, door, pace } = parts;
  const { incoming } = context.env;
  const token = bearer(incoming);
  const admission = pace.take({ token, cookie: incoming.headers.cookie });
  if (!admission.ok) return tooMany(context, admission.retryAfterMs);
  if (incoming.method === 'POST') await jsonOf(context);
  const decision = await auth.authenticate({
    token,
    headers: incoming.headers,
    address: door.addressOf(incoming),
    namespace: 'http',
  });
  if (decision.ok) {
    context.set('asker', decision.principal);
    const { scopes } = decision.principal;
    if (scopes !== undefined && !scopes.includes(scope)) return forbidden(context, `This key is not good for "${scope}".`);
    return (await refuseForPlace(context, parts, decision.principal)) ?? decision.principal;
  }
  if (decision.code === 'rate_limited') return tooMany(context, decision.retryAfterMs ?? 1_000);
  return refused(context, decision.code);
}

/** Waits for a place of this person, which the request keeps until it is handled; or the answer that refuses it. */
async function refuseForPlace(context: RouteContext, { auth, people }: DoorAndAuth, principal: Principal): Promise<Response | undefined> {
  if (context.get('seat')) return undefined;
  const seat = await people.take({ household: principal.userId, connection: context.env.incoming.socket });
  if (!seat.ok) return tooMany(context, seat.retryAfterMs);
  context.set('seat', seat);
  return seat.hasWaited && (await auth.hasEnded(principal)) ? refused(context, 'unauthorized') : undefined;
}

/** The one answer to those who are known and may not. */
export function forbidden(context: RouteContext, message: string = ERROR_CODES.forbidden.text): Response {
  return fault(context, 403, { code: 'forbidden', message });
}

export function fault(
  context: RouteContext,
  status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 429 | 500 | 503,
  error: { readonly code: string; readonly message: string; readonly details?: unknown },
): Response {
  context.set('refusal', error.code);
  return context.json({ error }, status);
}

/** A refusal of one field, which a page shows there. */
export function aboutField(
  path: string,
  reason: string,
): { readonly code: 'invalid_payload'; readonly message: string; readonly details: readonly PayloadFault[] } {
  return { code: 'invalid_payload', message: reason, details: [{ path, reason }] };
}

/** The checked body of a request, or the answer that refuses it. */
export async function bodyOf<Schema extends z.ZodType>(context: RouteContext, schema: Schema): Promise<z.infer<Schema> | Response> {
  const body = await jsonOf(context);
  if (!body.ok) return tooLarge(context);
  const checked = validate(schema, body.value);
  return checked.ok ? checked.data : fault(context, 400, checked.error);
}

/** What is sent can be read once. */
function jsonOf(context: RouteContext): Promise<Body> {
  const body = context.get('body') ?? readJson(context.env.incoming);
  context.set('body', body);
  return body;
}

export function tooMany(context: RouteContext, retryAfterMs: number): Response {
  context.header('Retry-After', String(Math.ceil(retryAfterMs / 1_000)));
  return refused(context, 'rate_limited');
}

/** Keeps in the audit log what this person has just done. */
export function noted(
  context: RouteContext,
  { auth, door }: DoorAndAuth,
  { principal, action, about }: { readonly principal: Principal; readonly action: AuditAction; readonly about?: string | undefined },
): Promise<void> {
  return auth.audit.note({ userId: principal.userId, credentialId: principal.credentialId, address: door.addressOf(context.env.incoming), action, about });
}

/**
 * The JSON of a request, `undefined` when it is none. Counted while it arrives, whatever its headers promise. (hono's own limit cannot
 * count a chunked body unless the adapter replaces the global Request.)
 */
export async function readJson(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let total = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      total += chunk.length;
      if (total > BODY_BYTES) return { ok: false };
      chunks.push(chunk);
    }
    // A body that breaks off is one that cannot be read: its sender is gone, and nothing of ours has failed.
    return { ok: true, value: JSON.parse(Buffer.concat(chunks).toString('utf8')) };
  } catch {
    return { ok: true, value: undefined };
  }
}

/** The credential of an `Authorization: Bearer` header (RFC 6750, section 2.1); never of the URL. */
function bearer(request: IncomingMessage): string | undefined {
  return /^Bearer ([\x21-\x7e]{1,16384})$/i.exec(request.headers.authorization ?? '')?.[1];
}
