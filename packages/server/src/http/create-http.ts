import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { type ErrorCode, type HandshakeCode, SOCKET_PATH } from '@tendon/protocol';
import { type Context, Hono } from 'hono';
import { routePath } from 'hono/route';
import type { Auth } from '../auth/auth.ts';
import { isLoopbackHost } from '../config.ts';
import { Places } from '../crowd/places.ts';
import type { Log } from '../log.ts';
import { RefusalLines } from '../refusal-lines.ts';
import type { Refusals } from '../refusals.ts';
import type { ProviderDesk } from '../secrets/provider-desk.ts';
import { type DoorAndAuth, fault, type HttpEnv, identify } from './answers.ts';
import { addApiRoutes } from './api-routes.ts';
import { CredentialPace } from './credential-pace.ts';
import type { Door } from './door.ts';
import type { CrowdRefusal, Entrance } from './entrance.ts';
import type { MetricsPage } from './metrics.ts';
import { plainPage } from './plain-page.ts';
import { securityHeaders } from './security-headers.ts';
import { StaticFiles } from './static-files.ts';
import { OF_PEOPLE, type UnderWay } from './under-way.ts';

export interface HttpOptions {
  readonly door: Door;
  readonly entrance: Entrance;
  readonly underWay: UnderWay;
  readonly auth: Auth;
  /** How fast one credential may ask; the usual pace when left out. */
  readonly pace?: CredentialPace;
  /** How many requests of one person are under way at once; as many as usual when left out. */
  readonly people?: Places;
  readonly providers: ProviderDesk;
  /** Folder of the built web UI; it may be missing. */
  readonly webRoot: string;
  /** What `/readyz` says; `checks` names each thing that was looked at. */
  readonly readiness: () => Promise<{ readonly ok: boolean; readonly checks: Readonly<Record<string, string>> }>;
  readonly metrics: () => Promise<MetricsPage>;
  readonly refusals: Refusals;
  readonly log: Log;
}

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** What somebody is told who is not let in, whatever name they came by. */
const OUTSIDE_HEADERS = { ...securityHeaders({ publicOrigin: () => 'http:' }, undefined), 'Cache-Control': 'no-store', Connection: 'close' };

/**
 * The HTTP server, not yet listening. Sockets are attached to it by the transport, whose `allowRequest` calls `door.check` again:
 * what reaches an `upgrade` or a poll has passed the same guard as every other route. The same holds for the entrance, which is one for both.
 */
export function createHttp(options: HttpOptions): Server {
  const refusalLines = new RefusalLines(options.log);
  const listener = getRequestListener(routes(options, refusalLines).fetch, { overrideGlobalObjects: false });
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: 10_000,
      maxHeaderSize: 16 * 1_024,
      connectionsCheckingInterval: 2_000,
    },
    (request, response) => {
      if (refuseAtDoor(options, { refusalLines, request, response })) return;
      const refuse = (refusal: CrowdRefusal): void => {
        options.refusals.count('http', refusal.code);
        refuseForCrowd(refusal, request, response);
      };
      options.entrance.admit(request, {
        letIn: () => void options.underWay.begin(request, response, { letIn: () => listener(request, response), refuse }),
        refuse,
      });
    },
  );
  server.on('listening', () => {
    const address = server.address();
    if (typeof address === 'object' && address !== null) options.door.listening(address.port);
  });
  server.on('close', () => refusalLines.close());
  server.on('upgrade', (request, socket) => refuseUpgrade(options, request, socket));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // What cannot be read; not who went away, nor a browser that opened a connection ahead and sent nothing.
    if (error.code?.startsWith('HPE_')) options.refusals.count('http', 'invalid_payload');
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else socket.destroy();
  });
  return server;
}

interface AtDoor {
  readonly refusalLines: RefusalLines;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Answers a request that may not come in. True when it did. */
function refuseAtDoor({ door, refusals }: HttpOptions, { refusalLines, request, response }: AtDoor): boolean {
  const check = door.check(request);
  if (check.ok) return false;
  refusals.count('http', 'forbidden_origin');
  const status = check.fault === 'host' ? 421 : 403;
  refusalLines.tellDoor({ code: 'forbidden_origin', status, address: door.addressOf(request), message: check.message });
  response.writeHead(status, { ...OUTSIDE_HEADERS, 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(request.method === 'HEAD' ? undefined : `${check.message}\n`);
  return true;
}

function refuseForCrowd({ status, code, message, retryAfterS }: CrowdRefusal, request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(status, { ...OUTSIDE_HEADERS, 'Content-Type': 'application/json', 'Retry-After': retryAfterS });
  response.end(request.method === 'HEAD' ? undefined : JSON.stringify({ error: { code, message } }));
}

/** Ends an upgrade that may not come in, or that is not for our sockets; the others are the transport's. */
function refuseUpgrade({ door, refusals }: HttpOptions, request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  // As Engine.IO compares it: what neither of us takes, it would leave half open for as long as its other side likes.
  const isOurs = request.url?.startsWith(SOCKET_PATH) ?? false;
  const check = door.check(request);
  if (check.ok && isOurs) return;
  // What the transport sees too, it counts.
  if (!isOurs) refusals.count('http', check.ok ? 'not_found' : 'forbidden_origin');
  const status = check.ok ? '404 Not Found' : check.fault === 'host' ? '421 Misdirected Request' : '403 Forbidden';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

/** What a page that refuses means; JSON names its code itself. */
const REFUSAL_OF_STATUS: Readonly<Record<number, ErrorCode | HandshakeCode>> = { 400: 'invalid_payload', 401: 'unauthorized', 429: 'rate_limited' };
/** Said to a machine at each of its questions until somebody decides: nothing is refused. */
const NOT_YET = 'authorization_pending';

function routes(given: HttpOptions, refusalLines: RefusalLines): Hono<HttpEnv> {
  const options = { ...given, pace: given.pace ?? new CredentialPace(), people: given.people ?? new Places(OF_PEOPLE) };
  const app = new Hono<HttpEnv>();
  app.use('*', async (context, next) => {
    for (const [name, value] of Object.entries(securityHeaders(options.door, context.env.incoming.headers.host))) context.header(name, value);
    try {
      await next();
    } finally {
      context.get('seat')?.leave();
    }
    const code = context.get('refusal') ?? REFUSAL_OF_STATUS[context.res.status];
    if (code === undefined || code === NOT_YET) return;
    options.refusals.count('http', code);
    const what = { method: context.req.method, route: routePath(context) };
    refusalLines.tell({ where: 'http', code, asker: context.get('asker'), address: options.door.addressOf(context.env.incoming), what });
  });
  app.onError((error, context) => {
    options.log.error({ component: 'http', method: context.req.method, route: new URL(context.req.url).pathname, err: error }, 'a request failed');
    return fault(context, 500, { code: 'internal', message: 'Something broke in the server. Its log has the details.' });
  });
  app.get('/healthz', (context) => context.json({ ok: true }, 200, { 'Cache-Control': 'no-store' }));
  app.get('/readyz', async (context) => {
    const { ok, checks } = await options.readiness();
    return context.json({ ok, checks }, ok ? 200 : 503, { 'Cache-Control': 'no-store' });
  });
  app.get('/metrics', async (context) => {
    if (!isDirectLoopback(context.env.incoming)) {
      const principal = await identify(context, options, 'read');
      if (principal instanceof Response) return principal;
    }
    const page = await options.metrics();
    return context.body(page.text, 200, { 'Content-Type': page.contentType, 'Cache-Control': 'no-store' });
  });
  app.get('/sign-in', (context) => signIn(context, options));
  addApiRoutes(app, options);
  const files = new StaticFiles(options.webRoot);
  app.get('*', (context) => page(context, files));
  app.all('*', (context) => fault(context, 405, { code: 'not_found', message: 'There is nothing at this address for this method.' }));
  return app;
}

/**
 * From this machine and not through a proxy: a proxy in front of us makes every stranger look like loopback. Not every one says that it is there, but
 * whoever asks through it asks for another name than this machine has for itself.
 */
function isDirectLoopback(request: IncomingMessage): boolean {
  const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:/i, '');
  const name = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return (
    isLoopbackHost(address) &&
    isLoopbackHost(name) &&
    request.headers['x-forwarded-for'] === undefined &&
    request.headers['forwarded'] === undefined &&
    request.headers['via'] === undefined
  );
}

const RENEW = 'Run "npx tendon start" in the folder of Tendon, on the machine where it runs: it prints a new link. A link works once, for 15 minutes.';

/** Uses a link up. Looking ahead is not using: HEAD requests and browsers that prefetch get no session and leave the link whole. */
async function signIn(context: Context<HttpEnv>, { auth, door }: DoorAndAuth): Promise<Response> {
  const { incoming } = context.env;
  context.header('Cache-Control', 'no-store');
  if (context.req.method !== 'GET' || incoming.headers['sec-purpose'] !== undefined || incoming.headers['purpose'] === 'prefetch')
    return context.body(null, 204);
  const token = context.req.query('token') ?? '';
  if (token === '') return context.html(plainPage('Sign in to Tendon', [RENEW]), 401);
  const redemption = await auth.signIn.byLink(token, { headers: incoming.headers, address: door.addressOf(incoming) });
  if (redemption.ok) {
    for (const line of redemption.setCookies) context.header('Set-Cookie', line, { append: true });
    return context.redirect('/', 303);
  }
  if (redemption.code === 'unauthorized')
    return context.html(plainPage('This sign-in link no longer works', ['It has been used, it has expired, or it is not complete.', RENEW]), 401);
  context.header('Retry-After', String(Math.ceil(redemption.retryAfterMs / 1_000)));
  return context.html(plainPage('Too many attempts', ['Wait a minute, then open the link again.']), 429);
}

async function page(context: Context<HttpEnv>, files: StaticFiles): Promise<Response> {
  const { pathname } = new URL(context.req.url);
  const answer = await files.answer(pathname, { accepts: context.req.header('accept-encoding') ?? '', ifNoneMatch: context.req.header('if-none-match') });
  if (answer === 'not_built')
    return context.html(plainPage('The web page is not built yet', ['Run "npm run build" in the folder of Tendon, then reload this page.']), 503);
  if (answer === 'not_found') return fault(context, 404, { code: 'not_found', message: 'There is nothing at this address.' });
  return context.newResponse(answer.body ?? null, answer.status, answer.headers);
}
