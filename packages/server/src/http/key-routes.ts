import { validate } from '@tendon/protocol';
import type { Hono } from 'hono';
import { z } from 'zod';
import type { ApiKeyRow } from '../auth/api-keys.ts';
import { type DoorAndAuth, fault, type HttpEnv, identify, nameSchema, readJson, tooLarge } from './answers.ts';

const newKeySchema = z.object({
  name: nameSchema,
  gatewayId: z.uuid().optional(),
  expiresInDays: z.number().int().min(1).max(3_650).optional(),
});

/** `/api/keys`: the API keys of the person who asks. */
export function addKeyRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  const { auth } = parts;
  app.get('/api/keys', async (context) => {
    const principal = await identify(context, parts);
    if (principal instanceof Response) return principal;
    return context.json({ keys: (await auth.listKeys(principal.userId)).map(shownKey) });
  });

  app.post('/api/keys', async (context) => {
    const principal = await identify(context, parts);
    if (principal instanceof Response) return principal;
    const body = await readJson(context.env.incoming);
    if (!body.ok) return tooLarge(context);
    const request = validate(newKeySchema, body.value);
    if (!request.ok) return fault(context, 400, request.error);
    const { name, gatewayId, expiresInDays } = request.data;
    const expiresAt = expiresInDays === undefined ? undefined : new Date(Date.now() + expiresInDays * 24 * 3_600_000);
    const { key, row } = await auth.createKey({ userId: principal.userId, name, gatewayId, expiresAt });
    return context.json({ key, ...shownKey(row) }, 201);
  });

  app.delete('/api/keys/:id', async (context) => {
    const principal = await identify(context, parts);
    if (principal instanceof Response) return principal;
    const id = z.uuid().safeParse(context.req.param('id'));
    if (!id.success || !(await auth.revokeKey(principal.userId, id.data)))
      return fault(context, 404, { code: 'not_found', message: 'There is no live key with this id.' });
    return context.json({ ok: true });
  });
}

function shownKey(row: ApiKeyRow) {
  const { id, name, kind, gatewayId, prefix, createdAt, lastUsedAt, expiresAt, revokedAt } = row;
  return { id, name, kind, gatewayId, prefix, createdAt, lastUsedAt, expiresAt, revokedAt };
}
