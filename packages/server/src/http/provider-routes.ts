import type { Hono } from 'hono';
import { z } from 'zod';
import type { ProviderDesk } from '../secrets/provider-desk.ts';
import { KEYED_PROVIDERS } from '../secrets/provider-keys.ts';
import { askerOf, refusePeople } from './account-routes.ts';
import { bodyOf, type DoorAndAuth, fault, type HttpEnv } from './answers.ts';

/** It goes into a header of a request: printable, without spaces. */
const keySchema = z
  .string()
  .trim()
  .min(4, 'give the whole key')
  .max(4_096, 'is too long for a key')
  .regex(/^[\x21-\x7e]+$/, 'may hold printable characters without spaces only');

const urlSchema = z
  .string()
  .trim()
  .max(2_000)
  .transform((value) => value.replace(/\/+$/, ''))
  .refine(isPlainAddress, 'give an address such as http://127.0.0.1:8000/v1, without user, password, query and fragment');

const SCHEMAS = { keyed: z.strictObject({ key: keySchema }), compatible: z.strictObject({ url: urlSchema, key: keySchema.optional() }) };

export interface ProviderRoutesParts extends DoorAndAuth {
  readonly providers: ProviderDesk;
}

/** `/api/providers` and `/api/secrets`: the keys of model providers and how they are sealed, for owners. A key goes in and never out. */
export function addProviderRoutes(app: Hono<HttpEnv>, parts: ProviderRoutesParts): void {
  const { providers } = parts;
  app.get('/api/providers', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const answer = await providers.list(asker);
    return answer.ok ? context.json({ providers: answer.data }) : refusePeople(context, answer.error);
  });

  app.post('/api/providers/:provider', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const provider = KEYED_PROVIDERS.find((name) => name === context.req.param('provider'));
    const body = await bodyOf(context, provider === 'compatible' ? SCHEMAS.compatible : SCHEMAS.keyed);
    if (body instanceof Response) return body;
    if (!provider) return fault(context, 404, NO_PROVIDER);
    const answer = await providers.set(asker, provider, body);
    return answer.ok ? context.json({ ok: true }) : refusePeople(context, answer.error);
  });

  app.delete('/api/providers/:provider', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const provider = KEYED_PROVIDERS.find((name) => name === context.req.param('provider'));
    if (!provider) return fault(context, 404, NO_PROVIDER);
    const answer = await providers.remove(asker, provider);
    return answer.ok ? context.json({ ok: true }) : refusePeople(context, answer.error);
  });

  app.get('/api/secrets', async (context) => {
    const asker = await askerOf(context, parts);
    if (asker instanceof Response) return asker;
    const answer = await providers.sealing(asker);
    return answer.ok ? context.json(answer.data) : refusePeople(context, answer.error);
  });
}

const NO_PROVIDER = { code: 'not_found', message: `There is no such provider: name one of ${KEYED_PROVIDERS.join(', ')}.` };

function isPlainAddress(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '' && !/[?#@\s]/.test(value);
}
