import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import { HANDSHAKE_CODES, type HandshakeCode } from '@tendon/protocol';
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import type { ApiKeyRow } from '../auth/api-keys.ts';
import type { Auth } from '../auth/auth.ts';
import { pageOrigin } from '../auth/authenticate.ts';
import type { Principal } from '../auth/principal.ts';
import type { Door } from './door.ts';

export type HttpEnv = { Bindings: HttpBindings };
type RouteContext = Context<HttpEnv>;

const BODY_BYTES = 16 * 1_024;

const newKeySchema = z.object({
  name: z.string().trim().min(1).max(100),
  gatewayId: z.uuid().optional(),
  expiresInDays: z.number().int().min(1).max(3_650).optional(),
});

/** `/api/*`: who am I, sign out, session tokens, keys. Every answer is JSON and not stored by anyone. */
export function addApiRoutes(app: Hono<HttpEnv>, auth: Auth, door: Door): void {
  app.use('/api/*', async (context, next) => {
    await next();
    context.header('Cache-Control', 'no-store');
  });

  app.get('/api/me', async (context) => {
    const principal = await identify(context, auth);
    if (principal instanceof Response) return principal;
    if (principal.path === 'cookie')
      for (const line of (await auth.extendSession(context.env.incoming.headers))?.setCookies ?? []) context.header('Set-Cookie', line, { append: true });
    return context.json({ user: { id: principal.userId, name: (await auth.userName(principal.userId)) ?? '' }, via: principal.path });
  });

  app.post('/api/auth/sign-out', async (context) => {
    if (pageOrigin(door, context.env.incoming.headers) === undefined) return refused(context, 'forbidden_origin');
    for (const line of await auth.signOut(context.env.incoming.headers)) context.header('Set-Cookie', line, { append: true });
    return context.json({ ok: true });
  });

  app.post('/api/auth/session-token', async (context) => {
    const { incoming } = context.env;
    if (!(await readJson(incoming)).ok) return tooLarge(context);
    const answer = await auth.issueSessionToken(incoming.headers, incoming.socket.remoteAddress ?? '');
    if (answer.ok) return context.json({ token: answer.token, expiresInMs: answer.expiresInMs }, 201);
    if (answer.code === 'not_found') return nothingHere(context);
    if (answer.code === 'rate_limited') context.header('Retry-After', String(Math.ceil(answer.retryAfterMs / 1_000)));
    return refused(context, answer.code);
  });

  app.get('/api/keys', async (context) => {
    const principal = await identify(context, auth);
    if (principal instanceof Response) return principal;
    return context.json({ keys: (await auth.listKeys(principal.userId)).map(shownKey) });
  });

  app.post('/api/keys', async (context) => {
    const principal = await identify(context, auth);
    if (principal instanceof Response) return principal;
    const body = await readJson(context.env.incoming);
    if (!body.ok) return tooLarge(context);
    const request = newKeySchema.safeParse(body.value);
    if (!request.success)
      return fault(context, 400, {
        code: 'invalid_payload',
        message: request.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '),
      });
    const { name, gatewayId, expiresInDays } = request.data;
    const expiresAt = expiresInDays === undefined ? undefined : new Date(Date.now() + expiresInDays * 24 * 3_600_000);
    const { key, row } = await auth.createKey({ userId: principal.userId, name, gatewayId, expiresAt });
    return context.json({ key, ...shownKey(row) }, 201);
  });

  app.delete('/api/keys/:id', async (context) => {
    const principal = await identify(context, auth);
    if (principal instanceof Response) return principal;
    const id = z.uuid().safeParse(context.req.param('id'));
    if (!id.success || !(await auth.revokeKey(principal.userId, id.data)))
      return fault(context, 404, { code: 'not_found', message: 'There is no live key with this id.' });
    return context.json({ ok: true });
  });

  app.post('/api/sign-in-links', async (context) => {
    const principal = await identify(context, auth);
    if (principal instanceof Response) return principal;
    if (principal.credentialId !== 'control') return nothingHere(context);
    return context.json({ url: await auth.signInLink() }, 201);
  });

  app.all('/api/*', nothingHere);
}

function nothingHere(context: RouteContext): Response {
  return fault(context, 404, { code: 'not_found', message: 'There is nothing at this address.' });
}

function tooLarge(context: RouteContext): Response {
  return fault(context, 413, { code: 'too_large', message: `The request has more than ${BODY_BYTES / 1_024} KiB.` });
}

const STATUS = { unauthorized: 401, forbidden_origin: 403, rate_limited: 429, shutting_down: 503, unsupported_protocol: 400 } as const;

/** The one answer for every refusal of identity. */
function refused(context: RouteContext, code: HandshakeCode): Response {
  return fault(context, STATUS[code], { code, message: HANDSHAKE_CODES[code].text });
}

/** Who sent this request, or the answer that refuses it. */
export async function identify(context: RouteContext, auth: Auth): Promise<Principal | Response> {
  const { incoming } = context.env;
  const decision = await auth.authenticate({
    token: bearer(incoming),
    headers: incoming.headers,
    address: incoming.socket.remoteAddress ?? '',
    namespace: 'http',
  });
  if (decision.ok) return decision.principal;
  if (decision.code === 'rate_limited') context.header('Retry-After', String(Math.ceil((decision.retryAfterMs ?? 1_000) / 1_000)));
  return refused(context, decision.code);
}

export function fault(
  context: RouteContext,
  status: 400 | 401 | 403 | 404 | 405 | 413 | 429 | 500 | 503,
  error: { readonly code: string; readonly message: string },
): Response {
  return context.json({ error }, status);
}

/**
 * The JSON of a request, `undefined` when it is none. Counted while it arrives, whatever its headers promise. (hono's own limit cannot
 * count a chunked body unless the adapter replaces the global Request.)
 */
async function readJson(request: IncomingMessage): Promise<{ readonly ok: true; readonly value: unknown } | { readonly ok: false }> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    total += chunk.length;
    if (total > BODY_BYTES) return { ok: false };
    chunks.push(chunk);
  }
  try {
    return { ok: true, value: JSON.parse(Buffer.concat(chunks).toString('utf8')) };
  } catch {
    return { ok: true, value: undefined };
  }
}

/** The credential of an `Authorization: Bearer` header (RFC 6750, section 2.1); never of the URL. */
function bearer(request: IncomingMessage): string | undefined {
  return /^Bearer ([\x21-\x7e]{1,16384})$/i.exec(request.headers.authorization ?? '')?.[1];
}

function shownKey(row: ApiKeyRow) {
  const { id, name, kind, gatewayId, prefix, createdAt, lastUsedAt, expiresAt, revokedAt } = row;
  return { id, name, kind, gatewayId, prefix, createdAt, lastUsedAt, expiresAt, revokedAt };
}
