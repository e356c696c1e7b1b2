import { AgentSocket, identityProviderRig, nodeRig } from '@tendon/testing';

/*
 * How long a connection outlives what it was let in with: two nodes on one database, one connection at each, ten rounds of each way to end.
 * Prints a row per way and node, in milliseconds: from the request that ends it, or from the moment it runs out, until the client's socket
 * has ended. Run it by itself: `node tests/attacks/credential-ends.ts`.
 */

const ROUNDS = Number(process.argv[2] ?? 10);

const idp = await identityProviderRig();
idp.serve('http://127.0.0.1:9');
const env = { TENDON_JWT_ISSUER: idp.issuer, TENDON_JWT_AUDIENCE: idp.api.audience, TENDON_JWT_JWKS_URL: idp.api.jwksUrl, TENDON_JWT_SIGN_UP: 'on' };
const rig = await nodeRig({ hasGateway: false, env });
const other = await rig.startNode();
const nodes = [rig.url, other.url];
const owner = rig.server.ownerId;

/** What two connections stand on, and what ends it; gives back since when it is over. */
interface Credential {
  readonly sockets: readonly AgentSocket[];
  readonly end: () => Promise<number>;
}

async function withKey(end: (id: string) => Promise<unknown>, expiresAt?: Date): Promise<Credential> {
  const { key, row } = await rig.server.auth.createKey({ userId: owner, name: 'short-lived', ...(expiresAt && { expiresAt }) });
  const sockets = [await rig.connect({ key }), await other.connect({ key })];
  return { sockets, end: () => timed(() => end(row.id)) };
}

/** `performance.now()` of its beginning: what has ended before the answer came counts too. */
async function timed(end: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await end();
  return begun;
}

async function withBrowser(): Promise<Credential> {
  const answer = await fetch(await rig.server.signInLink(), { redirect: 'manual' });
  const [, name = '', value = ''] = /^([^=]+)=([^;]+)/.exec(answer.headers.getSetCookie()[0] ?? '') ?? [];
  // The cookie is named after the port; behind one public address both nodes would be asked with the same.
  const headersOf = (url: string) => ({ cookie: `${name.replace(String(rig.server.port), new URL(url).port)}=${value}`, origin: url });
  const sockets = await Promise.all(nodes.map((url) => AgentSocket.connect({ url, headers: headersOf(url) })));
  const end = async (): Promise<void> => {
    const signOut = await fetch(`${rig.url}/api/auth/sign-out`, { method: 'POST', headers: headersOf(rig.url) });
    if (!signOut.ok) throw new Error(`sign-out: ${signOut.status}`);
  };
  return { sockets, end: () => timed(end) };
}

async function expiring(): Promise<Credential> {
  const at = new Date(Date.now() + 2_000);
  const { sockets } = await withKey(async () => undefined, at);
  return { sockets, end: async () => at.getTime() - performance.timeOrigin };
}

async function expiringJwt(): Promise<Credential> {
  const { accessToken: key } = await idp.tokens('ann', { lifetimeS: 3 });
  const { exp } = JSON.parse(Buffer.from(key.split('.')[1] ?? '', 'base64url').toString()) as { exp: number };
  const sockets = [await rig.connect({ key }), await other.connect({ key })];
  return { sockets, end: async () => exp * 1_000 - performance.timeOrigin };
}

const revoke = async (id: string): Promise<void> => {
  const answer = await fetch(`${rig.url}/api/keys/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${rig.key}` } });
  if (!answer.ok) throw new Error(`revoke: ${answer.status}`);
};

const WAYS: Readonly<Record<string, () => Promise<Credential>>> = {
  'a key is revoked': () => withKey(revoke),
  'a browser signs out': withBrowser,
  'a key expires': expiring,
  'a JWT expires': expiringJwt,
  'a key is deleted in the database, nobody is told': () => withKey((id) => rig.sql('delete from api_keys where id = $1', [id])),
};

for (const [way, open] of Object.entries(WAYS)) {
  const took: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { sockets, end } = await open();
    const ends = sockets.map((socket) => socket.ended.then(() => performance.now()));
    const over = await end();
    for (const [index, at] of (await Promise.all(ends)).entries()) took[index]?.push(at - over);
  }
  for (const [node, times] of took.entries()) {
    const sorted = times.toSorted((one, two) => one - two);
    const shown = [0, sorted.length >> 1, sorted.length - 1].map((index) => Math.round(sorted[index] ?? Number.NaN)).join(' / ');
    process.stdout.write(`| ${way} | ${node === 0 ? 'that node' : 'another'} | ${shown} |\n`);
  }
}
await rig[Symbol.asyncDispose]();
await idp[Symbol.asyncDispose]();
