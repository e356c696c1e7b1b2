import { idSchema } from '@tendon/protocol';
import type { Hono } from 'hono';
import { z } from 'zod';
import { askerOf, refusePeople } from './account-routes.ts';
import { bodyOf, type DoorAndAuth, fault, type HttpEnv, nothingHere } from './answers.ts';

const passwordSchema = z.string().min(1).max(1_000);
/** Six digits, or a recovery code with its dashes. */
export const codeSchema = z.string().min(1).max(100);
const proofSchema = z.object({ password: passwordSchema, code: codeSchema });

/** `/api/account/second-factor` and what owners do about that of others. The code at sign-in is in `sign-in-routes.ts`. */
export function addSecondFactorRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  const { secondFactor } = parts.auth;
  addOwnRoutes(app, parts);

  app.delete('/api/people/:id/second-factor', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const id = idSchema.safeParse(context.req.param('id'));
    if (!id.success) return fault(context, 404, { code: 'not_found', message: 'There is no such person.' });
    const answer = await secondFactor.resetFor(asker, id.data);
    return answer.ok ? context.json({ ok: true }) : refusePeople(context, answer.error);
  });

  app.post('/api/second-factor/reset', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    if (asker.principal.credentialId !== 'control') return nothingHere(context);
    return context.json({ wasOn: await secondFactor.resetFirstOwner(asker) });
  });
}

function addOwnRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  const { secondFactor } = parts.auth;
  app.get('/api/account/second-factor', async (context) => {
    const asker = await askerOf(context, parts);
    return asker instanceof Response ? asker : context.json(await secondFactor.look(asker));
  });

  app.post('/api/account/second-factor', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const body = await bodyOf(context, z.object({ password: passwordSchema }));
    if (body instanceof Response) return body;
    const answer = await secondFactor.begin(asker, body.password);
    return answer.ok ? context.json(answer.data, 201) : refusePeople(context, answer.error);
  });

  app.post('/api/account/second-factor/confirm', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const body = await bodyOf(context, z.object({ code: codeSchema }));
    if (body instanceof Response) return body;
    const answer = await secondFactor.confirm(asker, body.code);
    return answer.ok ? context.json({ recoveryCodes: answer.data }) : refusePeople(context, answer.error);
  });

  app.post('/api/account/second-factor/recovery-codes', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const body = await bodyOf(context, proofSchema);
    if (body instanceof Response) return body;
    const answer = await secondFactor.renewCodes(asker, body);
    return answer.ok ? context.json({ recoveryCodes: answer.data }) : refusePeople(context, answer.error);
  });

  app.post('/api/account/second-factor/off', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const body = await bodyOf(context, proofSchema);
    if (body instanceof Response) return body;
    const answer = await secondFactor.switchOff(asker, body);
    return answer.ok ? context.json({ ok: true }) : refusePeople(context, answer.error);
  });
}
