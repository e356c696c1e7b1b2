import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { GATEWAY_NAMESPACE, type HandshakeRefusal, PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { AgentSocket, identityProviderRig, type NodeRig, nodeRig, within } from '@tendon/testing';
import { io } from 'socket.io-client';

/* The four ways in by every carrier, on real sockets, with tokens of a real identity provider; and what the log says of each decision. */

await using stack = new AsyncDisposableStack();
const idp = stack.use(await identityProviderRig());
idp.serve('http://127.0.0.1:9');
const lines: Record<string, unknown>[] = [];
const onLogLine = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
const { issuer, audience, jwksUrl } = idp.api;
const jwt = { TENDON_JWT_ISSUER: issuer, TENDON_JWT_AUDIENCE: audience, TENDON_JWT_JWKS_URL: jwksUrl, TENDON_JWT_SIGN_UP: 'on' };
const locked = stack.use(await nodeRig({ hasGateway: false, onLogLine, env: jwt }));
const open = stack.use(await nodeRig({ hasGateway: false, onLogLine, env: { TENDON_AUTH: 'disabled' } }));
const kept = stack.move();
after(() => kept.disposeAsync());

interface Given {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a carrier came to: `in`, or the code of the refusal. */
type Carrier = (rig: NodeRig, given: Given) => Promise<string>;

/** Only met when something is wrong: that an end is due in time, at-expiry.test.ts says. */
const LIMIT_MS = 20_000;

const byHttp: Carrier = async (rig, { token, headers }) => {
  const answer = await fetch(`${rig.url}/api/me`, { headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) } });
  const { error } = (await answer.json()) as { error?: { code: string } };
  return error?.code ?? 'in';
};

const byAgent: Carrier = async (rig, { token, headers }) => {
  try {
    const socket = await AgentSocket.connect({ url: rig.url, ...(token !== undefined && { key: token }), ...(headers && { headers }) });
    socket.close();
    return 'in';
  } catch (error) {
    return ((error as Error).cause as HandshakeRefusal).code;
  }
};

function gatewaySocket(rig: NodeRig, { token, headers }: Given) {
  return io(new URL(GATEWAY_NAMESPACE, rig.url).href, {
    path: SOCKET_PATH,
    auth: { protocol: PROTOCOL_VERSION, client: { name: 'test', version: '1.0.0' }, ...(token !== undefined && { token }) },
    ...{ reconnection: false, forceNew: true, transports: ['websocket'], ...(headers && { extraHeaders: headers }) },
  });
}

const byGateway: Carrier = async (rig, given) => {
  const socket = gatewaySocket(rig, given);
  const outcome = new Promise<string>((resolve) => {
    socket.once('connect', () => resolve('in'));
    socket.once('connect_error', (error: Error & { data?: HandshakeRefusal }) => resolve(error.data?.code ?? error.message));
  });
  try {
    return await within('the socket of a machine', outcome, LIMIT_MS);
  } finally {
    socket.disconnect();
  }
};

const CARRIERS = { http: byHttp, '/agent': byAgent, '/gateway': byGateway } as const;

async function cookie(rig: NodeRig): Promise<string> {
  const answer = await fetch(await rig.server.signInLink(), { redirect: 'manual' });
  return answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

const [full, reading, machines] = await Promise.all([idp.tokens('ann'), idp.tokens('ann', { scope: 'read' }), idp.tokens('ann', { scope: 'read manage' })]);
const { key: scopedKey } = await locked.server.auth.createKey({ userId: locked.server.ownerId, name: 'scoped', scopes: ['read'] });
const signedIn = await cookie(locked);
const page = (value: string) => ({ headers: { cookie: value, origin: locked.url } });
const changed = (text: string): string => `${text.slice(0, -20)}${text.at(-20) === 'A' ? 'B' : 'A'}${text.slice(-19)}`;

interface Row {
  readonly title: string;
  readonly rig?: NodeRig;
  readonly given: Given;
  /** By HTTP, at `/agent`, at `/gateway`. */
  readonly comesTo: readonly [string, string, string];
  /** The credential that decided, as the log has it. */
  readonly path: string;
}

const IN = ['in', 'in', 'in'] as const;
const OUT = ['unauthorized', 'unauthorized', 'unauthorized'] as const;
const NO_MACHINE = ['in', 'in', 'unauthorized'] as const;

const ROWS: readonly Row[] = [
  { title: 'disabled: nothing', rig: open, given: {}, comesTo: IN, path: 'disabled' },
  { title: 'disabled: a key that is none', rig: open, given: { token: 'tnd_none' }, comesTo: IN, path: 'disabled' },
  { title: 'disabled: a JWT that is none', rig: open, given: { token: 'a.b.c' }, comesTo: IN, path: 'disabled' },
  { title: 'disabled: a cookie that is none', rig: open, given: { headers: { cookie: 'x=y', origin: open.url } }, comesTo: IN, path: 'disabled' },
  { title: 'token: a key', given: { token: locked.key }, comesTo: IN, path: 'token' },
  { title: 'token: a key with a scope', given: { token: scopedKey }, comesTo: NO_MACHINE, path: 'token' },
  { title: 'token: a key that was changed', given: { token: changed(locked.key) }, comesTo: OUT, path: 'token' },
  { title: 'token: a wrong key beside a right cookie', given: { token: changed(locked.key), ...page(signedIn) }, comesTo: OUT, path: 'token' },
  { title: 'jwt: an access token', given: { token: full.accessToken }, comesTo: IN, path: 'jwt' },
  { title: 'jwt: an access token with the scope read', given: { token: reading.accessToken }, comesTo: NO_MACHINE, path: 'jwt' },
  { title: 'jwt: an access token with the scope manage', given: { token: machines.accessToken }, comesTo: IN, path: 'jwt' },
  { title: 'jwt: the ID token for the same audience', given: { token: full.idToken }, comesTo: OUT, path: 'jwt' },
  { title: 'jwt: an access token that was changed', given: { token: changed(full.accessToken) }, comesTo: OUT, path: 'jwt' },
  { title: 'jwt: a wrong one beside a right cookie', given: { token: changed(full.accessToken), ...page(signedIn) }, comesTo: OUT, path: 'jwt' },
  { title: 'cookie: of a browser that is signed in', given: page(signedIn), comesTo: NO_MACHINE, path: 'cookie' },
  { title: 'cookie: one that was changed', given: page(changed(signedIn)), comesTo: OUT, path: 'cookie' },
  { title: 'nothing', given: {}, comesTo: OUT, path: 'none' },
];

describe('the four ways in', () => {
  for (const { title, rig = locked, given, comesTo, path } of ROWS) {
    for (const [index, [namespace, carry]] of Object.entries(CARRIERS).entries()) {
      const wanted = comesTo[index] ?? '';
      test(`H9, H11, H13: ${title}, by ${namespace}: ${wanted}, in one line of the log`, async () => {
        const before = lines.length;
        assert.equal(await carry(rig, given), wanted);
        const decisions = lines.slice(before).filter(({ event }) => event === 'auth');
        assert.equal(decisions.length, 1, JSON.stringify(decisions));
        const { user, reason, ...decision } = decisions[0] ?? {};
        const outcome = wanted === 'in' ? { outcome: 'accepted' } : { outcome: 'refused', code: wanted };
        const common = { path, namespace, address: '127.0.0.1', client: namespace === 'http' ? undefined : 'test/1.0.0', ...outcome };
        for (const [name, value] of Object.entries(common)) assert.equal(decision[name], value, name);
        assert.equal(typeof (wanted === 'in' ? user : reason), 'string');
        assert.ok(!JSON.stringify(lines.slice(before)).includes(given.token ?? given.headers?.['cookie'] ?? 'tnd_'), 'no line has the credential');
      });
    }
  }
});

test('H11: what the scope of a JWT does not name is forbidden, over HTTP and sockets', async () => {
  const headers = { authorization: `Bearer ${reading.accessToken}`, 'content-type': 'application/json' };
  const answer = await fetch(`${locked.url}/api/keys`, { method: 'POST', headers, body: JSON.stringify({ name: 'more' }) });
  assert.equal(answer.status, 403);
  const socket = await locked.connect({ key: reading.accessToken });
  const refused = await socket.request('session:create', {});
  assert.equal(!refused.ok && refused.error.code, 'forbidden');
  assert.equal((await socket.request('session:list', {})).ok, true);
});

test('H14: when a JWT expires, the connections that it opened end, and those of another one of the same person stay', async () => {
  const stays = await locked.connect({ key: full.accessToken });
  const { accessToken } = await idp.tokens('ann', { lifetimeS: 8 });
  const agent = await locked.connect({ key: accessToken });
  const machine = gatewaySocket(locked, { token: accessToken });
  const machineEnded = new Promise<string>((resolve) => machine.once('disconnect', resolve));
  await within('the machine to be let in', new Promise<void>((resolve) => machine.once('connect', resolve)), LIMIT_MS);
  assert.ok(agent.isConnected);
  const reasons = await Promise.all([within('the end at /agent', agent.ended, LIMIT_MS), within('the end at /gateway', machineEnded, LIMIT_MS)]);
  assert.deepEqual(reasons, ['io server disconnect', 'io server disconnect']);
  assert.ok(stays.isConnected);
});
