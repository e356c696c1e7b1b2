import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Provider from 'oidc-provider';

type AlterIdentity = (idToken: string) => string | Promise<string>;

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
    serve(origin) {
      provider = new OidcProvider(issuer, {
        clients: [
          {
            client_id: client.clientId,
            client_secret: client.clientSecret,
            redirect_uris: [`${origin}/api/auth/provider/return`],
            token_endpoint_auth_method: 'client_secret_post',
          },
        ],
        claims: { openid: ['sub'], profile: ['name'] },
        findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id, name: `The ${id}` }) }),
        cookies: { keys: ['a key for cookies of tests'] },
        jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), ...header, use: 'sig' }] },
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
