import type { Context, Hono } from 'hono';
import { z } from 'zod';
import type { Asker, PeopleFault } from '../auth/people-desk.ts';
import { aboutField, bodyOf, type DoorAndAuth, emailSchema, fault, type HttpEnv, identify, nameSchema, nothingHere } from './answers.ts';

const accountSchema = z.object({ name: nameSchema, email: emailSchema.optional() });
const passwordSchema = z.object({ current: z.string().max(1_000).optional(), password: z.string().min(1).max(1_000) });
const STATUS = { forbidden: 403, not_found: 404, conflict: 409, invalid_payload: 400, rate_limited: 429 } as const;

/** `/api/account`: the account of the person who asks. */
export function addAccountRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  const { people, provider } = parts.auth;
  app.get('/api/account', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const person = await people.account(asker);
    if (!person) return nothingHere(context);
    const { id, name, email, role, hasPassword, isConnected } = person;
    const mayLeaveOutPassword = await people.mayLeaveOutPassword(asker);
    return context.json({ account: { id, name, email, role, hasPassword, mayLeaveOutPassword, ...(provider && { provider: provider.name, isConnected }) } });
  });

  app.post('/api/account', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const body = await bodyOf(context, accountSchema);
    if (body instanceof Response) return body;
    const answer = await people.describe(asker, body);
    return answer.ok ? context.json({ ok: true }) : refusePeople(context, answer.error);
  });

  app.post('/api/account/password', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const body = await bodyOf(context, passwordSchema);
    if (body instanceof Response) return body;
    const answer = await people.changePassword(asker, body);
    if (!answer.ok) return refusePeople(context, answer.error);
    for (const line of await parts.auth.knowBrowser(asker.principal.userId)) context.header('Set-Cookie', line, { append: true });
    return context.json({ ended: answer.data });
  });

  app.delete('/api/account/provider', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    if (!provider) return nothingHere(context);
    const answer = await people.disconnect(asker, provider.issuer);
    return answer.ok ? context.json({ ok: true }) : refusePeople(context, answer.error);
  });
}

/** Who asks to change accounts, and from where. */
export async function askerOf(context: Context<HttpEnv>, parts: DoorAndAuth): Promise<Asker | Response> {
  const principal = await identify(context, parts, 'manage');
  return principal instanceof Response ? principal : { principal, address: parts.door.addressOf(context.env.incoming) };
}

export function refusePeople(context: Context<HttpEnv>, error: PeopleFault): Response {
  if (error.code === 'rate_limited') context.header('Retry-After', String(Math.ceil(error.retryAfterMs / 1_000)));
  if ('field' in error && error.field !== undefined) return fault(context, 400, aboutField(error.field, error.message));
  return fault(context, STATUS[error.code], { code: error.code, message: error.message });
}
