import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import { HANDSHAKE_CODES } from '@tendon/protocol';
import { type Context, Hono } from 'hono';
import type { TokenDesk } from './issue-socket-token.ts';
import type { RelaySignIn } from './sign-in.ts';

/** What the relay serves and who may knock: the same door and page as the server's, given by whoever starts it. */
export interface RelayFront {
  /** Which port it really is; nobody may knock before. */
  listening(port: number): void;
  /** Host, Origin and Sec-Fetch-Site, for every request, poll and upgrade. */
  check(request: IncomingMessage): { readonly ok: true } | { readonly ok: false; readonly fault: string; readonly message: string };
  headers(host: string | undefined): Readonly<Record<string, string>>;
  page(
    pathname: string,
    headers: { readonly accepts: string; readonly ifNoneMatch: string | undefined },
  ): Promise<
    { readonly status: 200 | 304; readonly headers: Record<string, string>; readonly body: Uint8Array<ArrayBuffer> | undefined } | 'not_built' | 'not_found'
  >;
  /** A whole page for a few words. */
  words(title: string, paragraphs: readonly string[]): string;
}

export interface RelayHttpOptions {
  readonly front: RelayFront;
  readonly signIn: RelaySignIn;
  readonly tokens: TokenDesk;
  readonly serverUrl: string;
  /** The machine whose page this is. */
  readonly gatewayId: string;
  readonly key: string;
  /** Prints a new link where the person sees it. */
  readonly showLink: () => void;
  readonly onSignOut: () => void;
  readonly port: () => number;
}

type Env = { Bindings: HttpBindings };

const PAGE_PATH = /^\/[A-Za-z0-9_/-]{0,200}$/;
const SERVER_LIMIT_MS = 10_000;
const NO_STORE = { 'Cache-Control': 'no-store' };

export const OPEN_THE_LINK = 'Open the link that the terminal of this machine shows.';

/** Every route of the relay. What needs the server's own page is said to. */
export function relayRoutes(options: RelayHttpOptions): Hono<Env> {
  const { front } = options;
  const app = new Hono<Env>();
  app.use('*', async (context, next) => {
    for (const [name, value] of Object.entries(front.headers(context.env.incoming.headers.host))) context.header(name, value);
    await next();
  });
  app.get('/healthz', (context) => context.json({ ok: true }, 200, NO_STORE));
  app.get('/sign-in', (context) => openLink(context, options));
  const ways = { password: false, relay: true, gatewayId: options.gatewayId, server: new URL(options.serverUrl).origin };
  app.get('/api/auth/ways', (context) => context.json(ways, 200, NO_STORE));
  app.post('/api/auth/sign-out', (context) => signOut(context, options));
  app.post('/api/auth/session-token', (context) => giveToken(context, options));
  app.get('/api/me', (context) => whoAmI(context, options));
  app.all('/api/*', (context) =>
    context.json(
      {
        error: { code: 'not_found', message: `The page of a relay has sessions, machines and rules. For the rest open ${new URL(options.serverUrl).origin}.` },
      },
      404,
      NO_STORE,
    ),
  );
  app.get('*', (context) => page(context, front));
  app.all('*', (context) => context.json({ error: { code: 'not_found', message: 'There is nothing at this address for this method.' } }, 405));
  return app;
}

function cookieName(port: number): string {
  return `tendon-relay-${port}`;
}

/** The secret that this browser came with. */
export function signInCookie(request: Pick<IncomingMessage, 'headers'>, port: number): string | undefined {
  const start = `${cookieName(port)}=`;
  return request.headers.cookie
    ?.split(/;\s*/)
    .find((pair) => pair.startsWith(start))
    ?.slice(start.length);
}

/** Uses a link up. A browser that only looks ahead gets no cookie, and leaves the link whole. */
function openLink(context: Context<Env>, { front, signIn, showLink, port }: RelayHttpOptions): Response {
  const { headers } = context.env.incoming;
  context.header('Cache-Control', 'no-store');
  if (context.req.method !== 'GET' || headers['sec-purpose'] !== undefined || headers['purpose'] === 'prefetch') return context.body(null, 204);
  const secrets = signIn.open(context.req.query('token') ?? '');
  if (secrets === undefined) {
    showLink();
    return context.html(
      front.words('Sign in to this machine', [
        'The terminal where "tendon gateway" runs shows a new link now. It works once, for 15 minutes: open it in this browser.',
      ]),
      401,
    );
  }
  context.header('Set-Cookie', `${cookieName(port())}=${secrets.cookie}; Path=/; HttpOnly; SameSite=Strict`);
  const to = context.req.query('to') ?? '/';
  // In the fragment, which no server and no other page sees.
  return context.redirect(`${PAGE_PATH.test(to) && !to.startsWith('//') ? to : '/'}#relay=${secrets.pageKey}`, 303);
}

function signOut(context: Context<Env>, { signIn, onSignOut, port }: RelayHttpOptions): Response {
  const secret = signInCookie(context.env.incoming, port());
  if (secret !== undefined) signIn.signOut(secret);
  onSignOut();
  context.header('Set-Cookie', `${cookieName(port())}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`);
  return context.json({ ok: true }, 200, NO_STORE);
}

/** What the page's next socket is let in with. Its body says nothing, and is not read. */
function giveToken(context: Context<Env>, { tokens, port }: RelayHttpOptions): Response {
  const { headers } = context.env.incoming;
  const answer = tokens.issue(headers, signInCookie({ headers }, port()));
  if (answer.ok) return context.json({ token: answer.token, expiresInMs: answer.expiresInMs }, 201, NO_STORE);
  if (answer.code === 'unauthorized') return notSignedIn(context);
  const error = { code: answer.code, message: HANDSHAKE_CODES[answer.code].text };
  if (answer.code !== 'rate_limited') return context.json({ error }, 403, NO_STORE);
  return context.json({ error }, 429, { ...NO_STORE, 'Retry-After': String(Math.ceil(answer.retryAfterMs / 1_000)) });
}

function notSignedIn(context: Context<Env>): Response {
  return context.json({ error: { code: 'unauthorized', message: OPEN_THE_LINK } }, 401, NO_STORE);
}

/** The server's own answer, for those who are signed in here. */
async function whoAmI(context: Context<Env>, { signIn, serverUrl, key, port }: RelayHttpOptions): Promise<Response> {
  if (!signIn.isSignedIn(signInCookie(context.env.incoming, port()))) return notSignedIn(context);
  try {
    const answer = await fetch(new URL('/api/me', serverUrl), {
      headers: { Authorization: `Bearer ${key}` },
      redirect: 'error',
      signal: AbortSignal.timeout(SERVER_LIMIT_MS),
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return context.json((await answer.json()) as object, 200, NO_STORE);
  } catch {
    return context.json(
      { error: { code: 'unavailable', message: `${new URL(serverUrl).origin} cannot be reached from this machine right now.` } },
      503,
      NO_STORE,
    );
  }
}

async function page(context: Context<Env>, front: RelayFront): Promise<Response> {
  const { pathname } = new URL(context.req.url);
  const answer = await front.page(pathname, { accepts: context.req.header('accept-encoding') ?? '', ifNoneMatch: context.req.header('if-none-match') });
  if (answer === 'not_built')
    return context.html(front.words('The web page is not built yet', ['Run "npm run build" in the folder of Tendon, then reload this page.']), 503);
  if (answer === 'not_found') return context.json({ error: { code: 'not_found', message: 'There is nothing at this address.' } }, 404, NO_STORE);
  return context.newResponse(answer.body ?? null, answer.status, answer.headers);
}
