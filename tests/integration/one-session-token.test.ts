import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { HandshakeRefusal } from '@tendon/protocol';
import { AgentSocket, nodeRig } from '@tendon/testing';

/* One session token, redeemed by a hundred handshakes at once: real ones, at two nodes of one database. */

const ORIGIN = 'https://tendon.example';
const ROUNDS = 4;
const HANDSHAKES = 100;

// Each comes from an address of its own, so that no limit answers for the token.
const env = { TENDON_DESKTOP: 'on', TENDON_PUBLIC_URL: ORIGIN, TENDON_TRUSTED_PROXIES: '127.0.0.1' };
const rig = await nodeRig({ hasGateway: false, env });
after(() => rig[Symbol.asyncDispose]());
const other = await rig.startNode();

/** What a desktop page sends that is signed in. */
async function page(): Promise<Record<string, string>> {
  const link = new URL(await rig.server.signInLink());
  const signedIn = await fetch(`${rig.url}${link.pathname}${link.search}`, { redirect: 'manual' });
  const session = pairOf(signedIn, 'session_token=');
  const csrf = pairOf(await fetch(`${rig.url}/api/me`, { headers: { cookie: session, origin: ORIGIN } }), 'csrf=');
  return {
    ...{ 'user-agent': 'TendonDesktop/1.0', 'content-type': 'application/json', 'x-requested-with': 'tendon', 'sec-fetch-site': 'same-origin' },
    ...{ origin: ORIGIN, cookie: `${session}; ${csrf}`, 'x-csrf-token': csrf.slice(csrf.indexOf('=') + 1) },
  };
}

function pairOf(answer: Response, part: string): string {
  const line = answer.headers.getSetCookie().find((one) => one.includes(part));
  assert.ok(line, `${answer.status} sets no ${part}`);
  return String(line.split(';')[0]);
}

async function handshake(key: string, index: number): Promise<AgentSocket | string> {
  const url = index % 2 === 0 ? rig.url : other.url;
  try {
    return await AgentSocket.connect({ url, key, headers: { Origin: ORIGIN, 'X-Forwarded-For': `10.0.0.${index + 1}` } });
  } catch (error) {
    return ((error as Error).cause as HandshakeRefusal | undefined)?.code ?? String(error);
  }
}

test('H21: of 100 handshakes at once, at two nodes, exactly one connects, each time, and the others are told the same', async () => {
  const headers = await page();
  for (let round = 0; round < ROUNDS; round += 1) {
    const issued = await fetch(`${rig.url}/api/auth/session-token`, { method: 'POST', headers, body: '{}' });
    assert.equal(issued.status, 201);
    const { token } = (await issued.json()) as { token: string };
    const outcomes = await Promise.all(Array.from({ length: HANDSHAKES }, (_, index) => handshake(token, index)));
    const winners = outcomes.filter((outcome) => outcome instanceof AgentSocket);
    assert.equal(winners.length, 1, `round ${round + 1}`);
    assert.deepEqual(
      outcomes.filter((outcome) => typeof outcome === 'string'),
      Array.from({ length: HANDSHAKES - 1 }, () => 'unauthorized'),
    );
    const [winner] = winners;
    assert.equal((await winner?.request('session:list', {}))?.ok, true);
    winner?.close();
  }
});
