import { idSchema } from '@tendon/protocol';
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import { bodyOf, type DoorAndAuth, fault, forbidden, type HttpEnv, identify, nameSchema, noted, tooMany } from './answers.ts';

const startSchema = z
  .object({ kind: z.enum(['machine', 'terminal']).default('machine'), gatewayId: idSchema.optional(), name: nameSchema, relay: z.boolean().default(false) })
  .refine(({ kind, gatewayId }) => (kind === 'machine') === (gatewayId !== undefined), {
    path: ['gatewayId'],
    message: 'a machine says which it is, a terminal does not',
  })
  .refine(({ kind, relay }) => kind === 'machine' || !relay, { path: ['relay'], message: 'a terminal has no relay' });
const pollSchema = z.object({ deviceCode: z.string().min(1).max(200) });
const decisionSchema = z.object({ decision: z.enum(['approve', 'deny']) });

/** What is told who has no key yet (RFC 8628, section 3.5). */
const WORDS = {
  authorization_pending: 'Nobody has decided yet. Ask again after the interval.',
  slow_down: 'You ask too often. Wait five seconds longer from now on.',
  access_denied: 'The person has denied it.',
  expired_token: 'This request is over. Start a new one.',
} as const;

const NOT_WHOLE =
  'Letting in takes a signed-in browser, or a key that has neither scopes nor an end: what is let in is good for more than this credential, or for longer.';

const AUDIT_ACTION = {
  machine: { approve: 'machine_paired', deny: 'machine_kept_out' },
  terminal: { approve: 'terminal_paired', deny: 'terminal_kept_out' },
} as const;

/** `/api/pair`: a machine or a terminal without a key asks for one, and its person decides. */
export function addPairingRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  const { auth, door } = parts;
  app.post('/api/pair', async (context) => {
    const body = await bodyOf(context, startSchema);
    if (body instanceof Response) return body;
    const started = await auth.pairing.start({ gatewayId: body.gatewayId, name: body.name, relay: body.relay, address: door.addressOf(context.env.incoming) });
    if (!started.ok) return tooMany(context, started.retryAfterMs);
    const { deviceCode, userCode, expiresInMs, intervalMs } = started;
    return context.json({ deviceCode, userCode, verificationUrl: auth.pairingUrl(userCode), expiresInMs, intervalMs }, 201);
  });

  app.post('/api/pair/key', async (context) => {
    const body = await bodyOf(context, pollSchema);
    if (body instanceof Response) return body;
    const answer = await auth.pairing.poll(body.deviceCode, door.addressOf(context.env.incoming));
    if (answer.ok) return context.json({ key: answer.key, ...(answer.relayKey === undefined ? {} : { relayKey: answer.relayKey }) }, 201);
    if (answer.code === 'rate_limited') return tooMany(context, answer.retryAfterMs);
    return fault(context, 400, { code: answer.code, message: WORDS[answer.code] });
  });

  app.get('/api/pair/:code', async (context) => {
    const principal = await identify(context, parts, 'manage');
    if (principal instanceof Response) return principal;
    const answer = await auth.pairing.look(principal.userId, context.req.param('code'));
    if (answer.ok) return context.json({ machine: answer.machine });
    return answer.code === 'rate_limited' ? tooMany(context, answer.retryAfterMs) : nobodyWaits(context);
  });

  app.post('/api/pair/:code', async (context) => {
    const principal = await identify(context, parts, 'manage');
    if (principal instanceof Response) return principal;
    const body = await bodyOf(context, decisionSchema);
    if (body instanceof Response) return body;
    const answer = await auth.pairing.decide(principal, context.req.param('code'), body.decision === 'approve');
    if (answer.ok) {
      await noted(context, parts, { principal, action: AUDIT_ACTION[answer.kind][body.decision], about: answer.name });
      return context.json({ ok: true });
    }
    if (answer.code === 'forbidden') return forbidden(context, NOT_WHOLE);
    return answer.code === 'rate_limited' ? tooMany(context, answer.retryAfterMs) : nobodyWaits(context);
  });
}

function nobodyWaits(context: Context<HttpEnv>): Response {
  return fault(context, 404, {
    code: 'not_found',
    message: 'Nothing waits under this code. Codes end after ten minutes: look at the terminal that shows it.',
  });
}
