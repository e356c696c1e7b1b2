import type { Hono } from 'hono';
import { pageOrigin } from '../auth/authenticate.ts';
import { addAccountRoutes } from './account-routes.ts';
import { type HttpEnv, identify, nothingHere, readJson, refused, tooLarge, tooMany } from './answers.ts';
import { addAuditRoutes } from './audit-routes.ts';
import { addDeviceRoutes } from './device-routes.ts';
import { addKeyRoutes } from './key-routes.ts';
import { addPairingRoutes } from './pairing-routes.ts';
import { addPeopleRoutes } from './people-routes.ts';
import { addProviderRoutes, type ProviderRoutesParts } from './provider-routes.ts';
import { addSecondFactorRoutes } from './second-factor-routes.ts';
import { addSignInRoutes } from './sign-in-routes.ts';

/** `/api/*`: who am I, sign out, session tokens, keys. Every answer is JSON and not stored by anyone. */
export function addApiRoutes(app: Hono<HttpEnv>, parts: ProviderRoutesParts): void {
  const { auth, door } = parts;
  app.use('/api/*', async (context, next) => {
    await next();
    context.header('Cache-Control', 'no-store');
  });

  app.get('/api/me', async (context) => {
    const principal = await identify(context, parts, 'read');
    if (principal instanceof Response) return principal;
    if (principal.path === 'cookie')
      for (const line of (await auth.extendSession(context.env.incoming.headers))?.setCookies ?? []) context.header('Set-Cookie', line, { append: true });
    const person = await auth.people.account({ principal, address: door.addressOf(context.env.incoming) });
    return context.json({ user: { id: principal.userId, name: person?.name ?? '', role: person?.role ?? 'member' }, via: principal.path });
  });

  app.post('/api/auth/sign-out', async (context) => {
    if (pageOrigin(door, context.env.incoming.headers) === undefined) return refused(context, 'forbidden_origin');
    const { headers } = context.env.incoming;
    for (const line of await auth.signOut(headers, door.addressOf(context.env.incoming))) context.header('Set-Cookie', line, { append: true });
    return context.json({ ok: true });
  });

  app.post('/api/auth/session-token', async (context) => {
    const { incoming } = context.env;
    if (!(await readJson(incoming)).ok) return tooLarge(context);
    const answer = await auth.issueSessionToken(incoming.headers, door.addressOf(incoming));
    if (answer.ok) return context.json({ token: answer.token, expiresInMs: answer.expiresInMs }, 201);
    if (answer.code === 'not_found') return nothingHere(context);
    return answer.code === 'rate_limited' ? tooMany(context, answer.retryAfterMs) : refused(context, answer.code);
  });

  app.post('/api/sign-in-links', async (context) => {
    const principal = await identify(context, parts, 'manage');
    if (principal instanceof Response) return principal;
    if (principal.credentialId !== 'control') return nothingHere(context);
    return context.json({ url: await auth.signInLink() }, 201);
  });

  addSignInRoutes(app, parts);
  addAccountRoutes(app, parts);
  addPeopleRoutes(app, parts);
  addSecondFactorRoutes(app, parts);
  addAuditRoutes(app, parts);
  addProviderRoutes(app, parts);
  addKeyRoutes(app, parts);
  addDeviceRoutes(app, parts);
  addPairingRoutes(app, parts);
  app.all('/api/*', nothingHere);
}
