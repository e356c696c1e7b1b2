import { idSchema, SCOPES } from '@tendon/protocol';
import type { Hono } from 'hono';
import { z } from 'zod';
import type { ApiKeyRow } from '../auth/api-keys.ts';
import { endOfKey } from '../auth/principal.ts';
import { bodyOf, type DoorAndAuth, fault, forbidden, type HttpEnv, identify, nameSchema, noted } from './answers.ts';

const newKeySchema = z.object({
  name: nameSchema,
  gatewayId: idSchema.optional(),
  /** Left out: all that its person can do. */
  scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length).optional(),
  expiresInDays: z.number().int().min(1).max(3_650).optional(),
});

/** `/api/keys`: the API keys of the person who asks. */
export function addKeyRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  const { auth } = parts;
  app.get('/api/keys', async (context) => {
    const principal = await identify(context, parts, 'manage');
    if (principal instanceof Response) return principal;
    return context.json({ keys: (await auth.listKeys(principal.userId)).map(shownKey) });
  });

  app.post('/api/keys', async (context) => {
    const principal = await identify(context, parts, 'manage');
    if (principal instanceof Response) return principal;
    const request = await bodyOf(context, newKeySchema);
    if (request instanceof Response) return request;
    const { name, gatewayId, scopes, expiresInDays } = request;
    const own = principal.scopes;
    if (own !== undefined && !(scopes ?? SCOPES).every((scope) => own.includes(scope)))
      return forbidden(context, `A key cannot make one that is good for more than itself: name scopes among ${own.join(', ')}.`);
    if (gatewayId !== undefined && scopes !== undefined)
      return fault(context, 400, {
        code: 'invalid_payload',
        message: 'The key of a machine has no scopes: it is good for that machine alone. Leave one of the two out.',
      });
    const wanted = expiresInDays === undefined ? undefined : new Date(Date.now() + expiresInDays * 24 * 3_600_000);
    const expiresAt = endOfKey(principal, wanted);
    const { key, row } = await auth.createKey({ userId: principal.userId, name, gatewayId, scopes: scopes && [...new Set(scopes)], expiresAt });
    await noted(context, parts, { principal, action: 'key_created', about: name });
    return context.json({ key, ...shownKey(row) }, 201);
  });

  app.delete('/api/keys/:id', async (context) => {
    const principal = await identify(context, parts, 'manage');
    if (principal instanceof Response) return principal;
    const id = idSchema.safeParse(context.req.param('id'));
    if (!id.success || !(await auth.revokeKey(principal.userId, id.data)))
      return fault(context, 404, { code: 'not_found', message: 'There is no live key with this id.' });
    await noted(context, parts, { principal, action: 'key_revoked', about: id.data });
    return context.json({ ok: true });
  });
}

function shownKey(row: ApiKeyRow) {
  const { id, name, kind, gatewayId, prefix, scopes, createdAt, lastUsedAt, expiresAt, revokedAt } = row;
  return { id, name, kind, gatewayId, prefix, scopes, createdAt, lastUsedAt, expiresAt, revokedAt };
}
