import { idSchema } from '@tendon/protocol';
import type { Hono } from 'hono';
import { z } from 'zod';
import { askerOf } from './account-routes.ts';
import { type DoorAndAuth, fault, forbidden, type HttpEnv } from './answers.ts';

const MOST = 100;
const querySchema = z.object({
  of: z.enum(['me', 'all']).default('me'),
  before: idSchema.optional(),
  limit: z.coerce.number().int().min(1).max(MOST).default(50),
});

/** `/api/audit`: what was done about identity and trust, by and to the person who asks; for owners by everybody. */
export function addAuditRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  const { audit, people } = parts.auth;
  app.get('/api/audit', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const query = querySchema.safeParse(context.req.query());
    if (!query.success)
      return fault(context, 400, { code: 'invalid_payload', message: `Ask with of=me or of=all, before=<id of an entry> and limit=1 to ${MOST}.` });
    const { of, before, limit } = query.data;
    if (of === 'all' && !(await people.isOwner(asker))) return forbidden(context, 'Only an owner can see what others did.');
    const entries = await audit.list({ userId: of === 'me' ? asker.principal.userId : undefined, before, limit: limit + 1 });
    return context.json({ entries: entries.slice(0, limit), hasMore: entries.length > limit });
  });
}
