import { idSchema } from '@tendon/protocol';
import type { Hono } from 'hono';
import { z } from 'zod';
import { askerOf, refusePeople } from './account-routes.ts';
import { bodyOf, type DoorAndAuth, fault, type HttpEnv, nameSchema } from './answers.ts';

const roleSchema = z.enum(['owner', 'member']);
const invitationSchema = z.object({ name: nameSchema, role: roleSchema });
const changeSchema = z.union([z.strictObject({ role: roleSchema }), z.strictObject({ isKeptOut: z.boolean() })]);
/** In the fragment, which no server and no log sees. */
const JOIN_PATH = '/join#';

/** `/api/people` and `/api/invitations`: the accounts of everybody, for owners. */
export function addPeopleRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  addPersonRoutes(app, parts);
  const { people } = parts.auth;
  app.get('/api/invitations', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const answer = await people.invitationsOpen(asker);
    return answer.ok ? context.json({ invitations: answer.data }) : refusePeople(context, answer.error);
  });

  app.post('/api/invitations', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const body = await bodyOf(context, invitationSchema);
    if (body instanceof Response) return body;
    const answer = await people.invite(asker, body);
    if (!answer.ok) return refusePeople(context, answer.error);
    const { id, token, expiresAt } = answer.data;
    return context.json({ id, url: parts.auth.pageUrl(`${JOIN_PATH}${token}`), expiresAt }, 201);
  });

  app.delete('/api/invitations/:id', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const id = idSchema.safeParse(context.req.param('id'));
    if (!id.success) return fault(context, 404, { code: 'not_found', message: 'There is no open invitation with this id.' });
    const answer = await people.revokeInvitation(asker, id.data);
    return answer.ok ? context.json({ ok: true }) : refusePeople(context, answer.error);
  });
}

function addPersonRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  const { people } = parts.auth;
  app.get('/api/people', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const answer = await people.list(asker);
    if (!answer.ok) return refusePeople(context, answer.error);
    const shown = answer.data.map((person) => ({ ...person, isYou: person.id === asker.principal.userId, isFirst: person.id === parts.auth.ownerId }));
    return context.json({ people: shown });
  });

  app.post('/api/people/:id', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const body = await bodyOf(context, changeSchema);
    if (body instanceof Response) return body;
    const id = idSchema.safeParse(context.req.param('id'));
    if (!id.success) return fault(context, 404, { code: 'not_found', message: 'There is no such person.' });
    const change = 'role' in body ? people.setRole(asker, id.data, body.role) : body.isKeptOut ? people.keepOut(asker, id.data) : people.letIn(asker, id.data);
    const answer = await change;
    return answer.ok ? context.json({ ok: true }) : refusePeople(context, answer.error);
  });

  app.post('/api/people/:id/sign-in-link', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const id = idSchema.safeParse(context.req.param('id'));
    if (!id.success) return fault(context, 404, { code: 'not_found', message: 'There is no such person.' });
    const answer = await people.makeLink(asker, id.data);
    if (!answer.ok) return refusePeople(context, answer.error);
    return context.json({ url: parts.auth.pageUrl(`/sign-in?token=${answer.data}`) }, 201);
  });
}
