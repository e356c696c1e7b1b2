import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startHttpServer, startOAuthServer } from '@tendon/mcp/rig';
import { AgentSocket, appShows, bytesOfKey, until } from '@tendon/testing';
import { ask, type CanaryRig, CONFIGURED, cookieOf, fromElsewhere, secret } from './canary-rig.ts';

/* Second factors, keys that are entered on the page, tokens of an issuer, and sign-ins at MCP servers: more that `goThrough` puts in. */

type Headers = Readonly<Record<string, string>>;

export interface Member {
  readonly email: string;
  readonly password: string;
  /** Of a page of ours, without and with their cookie. */
  readonly page: Headers;
  readonly signedIn: Headers;
}

const json = <T>(text: string): T => JSON.parse(text) as T;

/** Switched on, used with what is right and wrong, and new recovery codes in place of the old. */
export async function secondFactor(rig: CanaryRig, { email, password, page, signedIn }: Member): Promise<void> {
  const at = (path: string): string => `${rig.front.url}/api/${path}`;
  const factor = (path: string, body: object) => ask(at(`account/second-factor${path}`), { headers: signedIn, body });
  await factor('', { password: rig.hide('a wrong password before a second factor', secret()) });
  const begun = json<{ secret: string }>((await factor('', { password })).text);
  const key = rig.hide('the secret of the second factor', begun.secret);
  rig.canaries.push({ name: 'the secret of the second factor, decoded', value: bytesOfKey(key) });
  await factor('/confirm', { code: '12345' });
  const { recoveryCodes } = json<{ recoveryCodes: string[] }>((await factor('/confirm', { code: appShows(key) })).text);
  for (const [index, code] of recoveryCodes.entries()) rig.hide(`recovery code ${index + 1}`, code);
  const unknown = rig.hide('a recovery code that is none', secret().slice(0, 30).toUpperCase());
  for (const code of [unknown, recoveryCodes[0], recoveryCodes[0]]) {
    const step = cookieOf(await ask(at('auth/sign-in'), { headers: page, body: { email, password } }), '.second_step=');
    rig.hide('a step after the password', step.value);
    const answer = await ask(at('auth/second-step'), { headers: { ...page, Cookie: step.pair }, body: { code } });
    if (answer.status === 200) rig.hide('the cookie after a recovery code', decodeURIComponent(cookieOf(answer, 'session_token=').value));
  }
  const renewed = await factor('/recovery-codes', { password, code: recoveryCodes[1] });
  rig.hide('a recovery code in place of an old one', json<{ recoveryCodes: string[] }>(renewed.text).recoveryCodes[0]);
  await factor('/off', { password, code: unknown });
}

/** One that is stored and replaced, one that is refused because the environment decides, and one where it does not belong. */
export async function providerKeys(rig: CanaryRig, owner: Headers): Promise<void> {
  const at = (name: string): string => `${rig.front.url}/api/providers/${name}`;
  for (const name of ['the first key entered', 'the key entered in its place'])
    await ask(at('google'), { headers: owner, body: { key: rig.hide(name, secret()) } });
  await ask(at('openai'), { headers: owner, body: { key: rig.hide('a key that the environment is before', secret()) } });
  await ask(at('google'), { headers: owner, body: { key: { text: rig.hide('a key in a wrong field', secret()) } } });
  await ask(at(rig.hide('a key as the name of a provider', secret())), { headers: owner, body: { key: 'x' } });
  await ask(`${rig.front.url}/api/providers`, { headers: owner });
  await rig.run(['secrets', 'status']);
}

/** Access and ID tokens of the real issuer, right and changed, by every carrier. */
export async function issuerTokens(rig: CanaryRig): Promise<void> {
  const { accessToken, idToken } = await rig.provider.tokens('ann');
  const changed = `${accessToken.slice(0, -12)}${secret().slice(0, 12)}`;
  const all = { 'an access token of the issuer': accessToken, 'an ID token of the issuer': idToken, 'an access token that was changed': changed };
  for (const [name, token] of Object.entries(all)) {
    rig.hide(name, token);
    rig.hide(`the signature of ${name}`, token.split('.')[2]);
    await ask(`${rig.front.url}/api/me`, { headers: { Authorization: `Bearer ${token}` } });
    await ask(`${rig.front.url}/api/people`, { headers: { Authorization: `Bearer ${token}` } });
    await ask(`${rig.front.url}/sign-in?access_token=${token}`);
    await AgentSocket.connect({ url: rig.front.url, key: token, headers: fromElsewhere(), name: 'issuer' }).then(
      async (socket) => {
        await socket.request('session:create', {});
        socket.close();
      },
      () => undefined,
    );
  }
}

/** An MCP server over HTTP that asks for a sign-in, and what to name it as in an mcp.json. */
export interface GuardedMcp extends AsyncDisposable {
  readonly entry: object;
  /** Opens the address that stands in this output, and waits for the tokens in this file. */
  signIn(output: () => string, file: string): Promise<void>;
}

/** `whose`: what its canaries are called after. */
export async function guardedMcp(rig: CanaryRig, whose: string): Promise<GuardedMcp> {
  await using stack = new AsyncDisposableStack();
  const client = { id: `client-of-${whose.replaceAll(' ', '-')}`, secret: rig.hide(`the client's secret of ${whose}`, secret()) };
  const oauth = stack.use(await startOAuthServer(client));
  const web = stack.use(await startHttpServer({ oauth }));
  const kept = stack.move();
  return {
    entry: { url: web.url, oauth: { clientId: client.id, clientSecret: client.secret } },
    signIn: async (output, file) => {
      const address = await until({
        what: `the address of ${whose}`,
        pollMs: 20,
        check: () => /open this address[^"]*?: (http\S+?)["\s]/.exec(output())?.[1],
      });
      const service = await next(address);
      const back = await next(service);
      rig.hide(`the code of ${whose}`, new URL(back).searchParams.get('code') ?? '');
      rig.keep('what an MCP sign-in answers', await (await fetch(back)).text());
      await until({ what: `the tokens of ${whose}`, pollMs: 20, check: () => existsSync(file) && readFileSync(file).length > 100 });
      for (const token of oauth.live) rig.hide(`the access token of ${whose}`, token);
      for (const token of oauth.refreshable()) rig.hide(`the refresh token of ${whose}`, token);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function next(address: string): Promise<string> {
  const location = (await fetch(address, { redirect: 'manual' })).headers.get('location');
  if (location === null) throw new Error('the sign-in leads nowhere');
  return location;
}

/** The server's own MCP servers: one to sign in to, one that is away, one that ends. */
export async function serverMcp(rig: CanaryRig, guarded: GuardedMcp): Promise<void> {
  const folder = join(rig.homes.server, 'server');
  const servers = {
    guarded: guarded.entry,
    away: { url: 'http://127.0.0.1:1/mcp', headers: { Authorization: `Bearer ${rig.hide("a header of the server's mcp.json", secret())}` } },
    ends: {
      command: 'node',
      args: ['-e', 'process.stderr.write("not today, " + process.env.TOKEN); process.exit(3)'],
      env: { TOKEN: rig.hide("a variable of the server's mcp.json", secret()) },
    },
  };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, 'mcp.json'), JSON.stringify({ mcpServers: servers }), { mode: 0o600 });
  await guarded.signIn(() => rig.product.output(), join(folder, 'mcp-credentials.json'));
  const socket = await AgentSocket.connect({ url: rig.front.url, key: CONFIGURED.ownerKey, name: 'mcp' });
  for (;;) {
    const changes = () => socket.received.filter(({ name }) => name === 'mcp:changed').length;
    const heard = changes();
    const { servers: shown } = await socket.ask('mcp:list', {});
    if (shown.length === 3 && shown.every(({ name, state }) => state === (name === 'guarded' ? 'running' : 'failed'))) break;
    await socket.until('the MCP servers to change', () => changes() > heard);
  }
  socket.close();
}
