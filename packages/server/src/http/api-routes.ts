import type { Hono } from 'hono';
import type { Auth } from '../auth/auth.ts';
import { pageOrigin } from '../auth/authenticate.ts';
import { type HttpEnv, identify, nothingHere, readJson, refused, tooLarge } from './answers.ts';
import { addDeviceRoutes } from './device-routes.ts';
import type { Door } from './door.ts';
import { addKeyRoutes } from './key-routes.ts';
import { addPairingRoutes } from './pairing-routes.ts';

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

  app.post('/api/sign-in-links', async (context) => {
    const principal = await identify(context, auth);
    if (principal instanceof Response) return principal;
    if (principal.credentialId !== 'control') return nothingHere(context);
    return context.json({ url: await auth.signInLink() }, 201);
  });

  addKeyRoutes(app, auth);
  addDeviceRoutes(app, auth);
  addPairingRoutes(app, auth);
  app.all('/api/*', nothingHere);
}
