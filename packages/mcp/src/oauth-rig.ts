import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface OAuthRig extends AsyncDisposable {
  /** Tokens that the server takes. */
  readonly live: Set<string>;
  readonly registered: { redirect_uris: string[] }[];
  readonly headers: NodeJS.Dict<string | string[]>[];
  readonly refreshes: () => number;
  /** What each token is good for, as it was asked for. */
  readonly scopeOf: ReadonlyMap<string, string>;
  /** Refresh tokens that are good now. */
  readonly refreshable: () => readonly string[];
  /** No refresh token is good any more. */
  revoke(): void;
  /** Where a server that guards `resource` says that it is signed in to. */
  readonly metadataFor: (resource: string) => object;
}

interface Grant {
  readonly challenge: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scope: string;
}

/** A client that a person has registered by hand. It comes back to loopback, to whatever port. */
interface OwnClient {
  readonly id: string;
  readonly secret: string;
}

/** An authorization server with registration (or one client of its own), PKCE and refresh, which lets everybody in at once. */
export async function startOAuthServer(own?: OwnClient): Promise<OAuthRig> {
  const scopeOf = new Map<string, string>();
  const live = new Set<string>();
  /** With what each is good for: a refresh keeps the scope (RFC 6749, 6). */
  const refreshTokens = new Map<string, string>();
  const codes = new Map<string, Grant>();
  const registered: { client_id: string; redirect_uris: string[] }[] = [];
  const headers: OAuthRig['headers'] = [];
  let refreshes = 0;
  const issuer = (): string => `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const tokens = (scope: string): object => {
    const [access, refresh] = [randomUUID(), randomUUID()];
    live.add(access);
    scopeOf.set(access, scope);
    refreshTokens.set(refresh, scope);
    return { access_token: access, token_type: 'Bearer', expires_in: 3_600, refresh_token: refresh };
  };
  const routes: Record<string, (input: URLSearchParams, body: string, authorization: string) => { status?: number; json?: object; location?: string }> = {
    '/.well-known/oauth-authorization-server': () => ({
      json: {
        issuer: issuer(),
        ...{ authorization_endpoint: `${issuer()}/authorize`, token_endpoint: `${issuer()}/token` },
        ...(own ? {} : { registration_endpoint: `${issuer()}/register` }),
        ...{ response_types_supported: ['code'], code_challenge_methods_supported: ['S256'] },
        token_endpoint_auth_methods_supported: [own ? 'client_secret_basic' : 'none'],
      },
    }),
    '/register': (_input, body) => {
      const client = { ...(JSON.parse(body) as { redirect_uris: string[] }), client_id: randomUUID() };
      registered.push(client);
      return { status: 201, json: client };
    },
    '/authorize': (input) => {
      const id = input.get('client_id') ?? '';
      const redirectUri = input.get('redirect_uri') ?? '';
      const isKnown = own ? own.id === id : registered.some(({ client_id, redirect_uris }) => client_id === id && redirect_uris.includes(redirectUri));
      if (!isKnown || input.get('code_challenge_method') !== 'S256') return { status: 400, json: {} };
      const code = randomUUID();
      codes.set(code, { challenge: input.get('code_challenge') ?? '', clientId: id, redirectUri, scope: input.get('scope') ?? '' });
      const back = new URL(redirectUri);
      back.searchParams.set('code', code);
      back.searchParams.set('state', input.get('state') ?? '');
      return { status: 302, location: back.href };
    },
    '/token': (_input, body, authorization) => {
      const form = new URLSearchParams(body);
      if (own && authorization !== `Basic ${btoa(`${own.id}:${own.secret}`)}`) return { status: 401, json: { error: 'invalid_client' } };
      if (form.get('grant_type') === 'refresh_token') {
        refreshes += 1;
        const refresh = form.get('refresh_token') ?? '';
        const scope = refreshTokens.get(refresh);
        refreshTokens.delete(refresh);
        return scope === undefined ? { status: 400, json: { error: 'invalid_grant' } } : { json: tokens(scope) };
      }
      const grant = codes.get(form.get('code') ?? '');
      const proof = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url');
      const fits =
        grant?.challenge === proof && (own !== undefined || grant.clientId === form.get('client_id')) && grant.redirectUri === form.get('redirect_uri');
      codes.delete(form.get('code') ?? '');
      return fits ? { json: tokens(grant.scope) } : { status: 400, json: { error: 'invalid_grant' } };
    },
  };
  const http = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    headers.push(request.headers);
    const url = new URL(request.url ?? '', issuer());
    let body = '';
    for await (const chunk of request) body += chunk;
    const answer = routes[url.pathname]?.(url.searchParams, body, request.headers.authorization ?? '') ?? { status: 404 };
    const location = answer.location === undefined ? {} : { location: answer.location };
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...location }).end(JSON.stringify(answer.json ?? {}));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    ...{ live, scopeOf, registered, headers, refreshes: () => refreshes, refreshable: () => [...refreshTokens.keys()], revoke: () => refreshTokens.clear() },
    metadataFor: (resource) => ({ resource, authorization_servers: [issuer()] }),
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise<void>((resolve) => void http.close(() => resolve()));
    },
  };
}
