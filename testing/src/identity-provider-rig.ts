import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Provider from 'oidc-provider';

type AlterIdentity = (idToken: string) => string | Promise<string>;

/** What an access token is asked for (RFC 8707). */
const RESOURCE = 'https://tendon.example/api';

/** An identity provider (OpenID Connect) on real HTTP, where whoever names a subject is that subject. */
export interface IdentityProviderRig extends AsyncDisposable {
  readonly issuer: string;
  /** Every answer of its token endpoint so far, as it went out. */
  readonly tokenAnswers: readonly string[];
  readonly config: { readonly issuer: string; readonly clientId: string; readonly clientSecret: string; readonly name: string; readonly signUp: boolean };
  /** Lets pages of this origin be sent back to. Once, before anybody signs in. */
  serve(origin: string): void;
  /** What a browser does there: goes to the address, signs in as this subject, consents. The address that it is sent back to. */
  walk(url: string, subject: string): Promise<URL>;
  /** From now on the token endpoint gives what this makes of its identity tokens. */
  alterIdentities(change: AlterIdentity): void;
  /** An identity token of this provider's own key, whatever it says. */
  sign(claims: object): string;
  /** Tokens of this subject, by code and PKCE, from pages that `serve` was told: an access token for `apiAudience` (RFC 9068), and an ID token. */
  tokens(subject: string, more?: { readonly scope?: string; readonly lifetimeS?: number }): Promise<{ readonly accessToken: string; readonly idToken: string }>;
  /** Its ID tokens are for the same audience: nothing but what kind of token they are tells them apart. */
  readonly api: { readonly issuer: string; readonly audience: string; readonly jwksUrl: string };
}

export interface IdentityProviderRigOptions {
  readonly signUp?: boolean;
  readonly clientSecret?: string;
  readonly host?: '127.0.0.1' | 'localhost';
}

/** At `localhost` it is another site than 127.0.0.1 for a browser, as a provider is in the world: strict cookies stay at home. */
export async function identityProviderRig({ signUp = false, clientSecret, host = '127.0.0.1' }: IdentityProviderRigOptions = {}): Promise<IdentityProviderRig> {
  const client = { clientId: 'tendon', clientSecret: clientSecret ?? 'a secret between the two' };
  // Loaded here, because it takes its time and few tests need it.
  const { default: OidcProvider } = await import('oidc-provider');
  const tokenAnswers: string[] = [];
  let provider: Provider | undefined;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const header = { alg: 'RS256', kid: 'the key of tests' };
  let alter: AlterIdentity = (idToken) => idToken;
  let redirectUri = '';
  let lifetimeS = 600;
  const server = createServer((request, response) => {
    if (provider) void provider.callback()(request, response);
    else response.writeHead(503).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://${host}:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    tokenAnswers,
    config: { issuer, ...client, name: 'Example Login', signUp },
    api: { issuer, audience: client.clientId, jwksUrl: `${issuer}/jwks` },
    serve(origin) {
      redirectUri = `${origin}/api/auth/provider/return`;
      provider = new OidcProvider(issuer, {
        clients: [
          {
            client_id: client.clientId,
            client_secret: client.clientSecret,
            redirect_uris: [redirectUri],
            token_endpoint_auth_method: 'client_secret_post',
          },
        ],
        claims: { openid: ['sub'], profile: ['name'] },
        findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id, name: `The ${id}` }) }),
        cookies: { keys: ['a key for cookies of tests'] },
        jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), ...header, use: 'sig' }] },
        features: {
          resourceIndicators: {
            enabled: true,
            getResourceServerInfo: () => ({
              scope: 'read write approve manage',
              audience: client.clientId,
              accessTokenFormat: 'jwt' as const,
              accessTokenTTL: lifetimeS,
            }),
          },
        },
      });
      provider.use(async (context, next) => {
        await next();
        const body: unknown = context.body;
        if (typeof body === 'object' && body !== null && 'id_token' in body) context.body = { ...body, id_token: await alter(String(body.id_token)) };
      });
      provider.on('grant.success', (context) => void tokenAnswers.push(JSON.stringify(context.body)));
    },
    walk: (url, subject) => walk(url, subject),
    alterIdentities(change) {
      alter = change;
    },
    sign(claims) {
      const content = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
      return `${content}.${sign('sha256', Buffer.from(content), privateKey).toString('base64url')}`;
    },
    async tokens(subject, more = {}) {
      lifetimeS = more.lifetimeS ?? 600;
      const verifier = randomBytes(32).toString('base64url');
      const asked = new URLSearchParams({
        ...{ client_id: client.clientId, response_type: 'code', redirect_uri: redirectUri, resource: RESOURCE, prompt: 'consent', nonce: verifier },
        ...{ scope: `openid ${more.scope ?? ''}`.trim(), code_challenge_method: 'S256' },
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      });
      const back = await walk(`${issuer}/auth?${asked}`, subject);
      const form = new URLSearchParams({
        ...{ grant_type: 'authorization_code', code: back.searchParams.get('code') ?? '', redirect_uri: redirectUri, resource: RESOURCE },
        ...{ client_id: client.clientId, client_secret: client.clientSecret, code_verifier: verifier },
      });
      const answer = await fetch(`${issuer}/token`, { method: 'POST', body: form });
      const given = (await answer.json()) as { access_token?: string; id_token?: string };
      if (given.access_token === undefined || given.id_token === undefined)
        throw new Error(`the provider gave no tokens: ${JSON.stringify(given)} ${back.search}`);
      return { accessToken: given.access_token, idToken: given.id_token };
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function walk(start: string, subject: string): Promise<URL> {
  const jar = new Map<string, string>();
  const home = new URL(start).origin;
  let next: { url: URL; form?: Record<string, string> } = { url: new URL(start) };
  for (let step = 0; step < 20; step += 1) {
    if (next.url.origin !== home) return next.url;
    const response = await fetch(next.url, {
      method: next.form ? 'POST' : 'GET',
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(next.form ? { body: new URLSearchParams(next.form) } : {}),
    });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=');
      jar.set(name, value);
    }
    const location = response.headers.get('location');
    if (location !== null) next = { url: new URL(location, next.url) };
    else {
      const prompt = /name="prompt" value="(\w+)"/.exec(await response.text())?.[1];
      if (prompt === undefined) throw new Error(`the provider answered ${response.status} at ${next.url.pathname}`);
      next = { url: next.url, form: prompt === 'login' ? { prompt, login: subject, password: 'any' } : { prompt } };
    }
  }
  throw new Error('the provider sends its visitor in circles');
}
