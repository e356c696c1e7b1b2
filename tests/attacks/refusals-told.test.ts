import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { AGENT_NAMESPACE, GATEWAY_NAMESPACE, type Result, type Scope, SOCKET_PATH } from '@tendon/protocol';
import { type NodeRig, nodeRig, until } from '@tendon/testing';
import { io, type Socket } from 'socket.io-client';

/*
 * What is refused stands in the log: who asked, what, from where and why, and how often. However much somebody asks, the log has few lines
 * of it, and their counts are how much it was.
 */

interface Line {
  readonly event?: string;
  readonly level: string;
  readonly namespace?: string;
  readonly code?: string;
  readonly name?: string;
  readonly method?: string;
  readonly route?: string;
  readonly userId?: string;
  readonly credentialId?: string;
  readonly address?: string;
  readonly count: number;
}

interface ToldRig extends AsyncDisposable {
  readonly node: NodeRig;
  /** What was told of refusals so far. */
  told(): readonly Line[];
  raw(): string;
}

async function toldRig(): Promise<ToldRig> {
  const lines: string[] = [];
  const node = await nodeRig({ hasGateway: false, onLogLine: (line) => lines.push(line) });
  const told = () => lines.map((line) => JSON.parse(line) as Line).filter(({ event }) => event === 'request_refused');
  return { node, told, raw: () => lines.join(''), [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() };
}

const rig = await toldRig();
after(() => rig[Symbol.asyncDispose]());
const CANARY = 'canary-that-somebody-made-up';

interface Somebody {
  readonly userId: string;
  readonly key: string;
}

type Expected = Pick<Line, 'namespace' | 'code'> & Partial<Pick<Line, 'name' | 'method' | 'route'>>;

/** One kind of refusal: who is refused asks once, as somebody of whom the log has said nothing yet. */
interface Row {
  readonly told: Expected;
  readonly scopes?: readonly Scope[];
  ask(who: Somebody): Promise<unknown>;
}

async function opened(where: string, key: string): Promise<Socket> {
  const auth = { protocol: 1, token: key, client: { name: 'test', version: '1' } };
  const socket = io(`${rig.node.url}${where}`, { path: SOCKET_PATH, auth, reconnection: false, forceNew: true, transports: ['websocket'] });
  after(() => void socket.disconnect());
  return connected(socket);
}

async function connected(socket: Socket): Promise<Socket> {
  await new Promise((resolve) => socket.once('connect', () => resolve(undefined)));
  return socket;
}

const emits =
  (where: string, name: string, payload: () => object | Promise<object>) =>
  async ({ key }: Somebody): Promise<void> => {
    const answer = (await (await opened(where, key)).emitWithAck(name, await payload())) as Result<unknown>;
    assert.ok(!answer.ok);
  };
const requests =
  (method: string, path: () => string | Promise<string>, body?: string) =>
  async ({ key }: Somebody): Promise<void> => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const answer = await fetch(`${rig.node.url}${await path()}`, { method, headers, ...(body === undefined ? {} : { body }) });
    assert.ok(answer.status >= 400 && answer.status < 500, String(answer.status));
  };

const ownersSession = async () => ({ sessionId: (await rig.node.open()).id });
const ownersKey = async () => `/api/keys/${(await rig.node.server.auth.createKey({ userId: rig.node.server.ownerId, name: 'theirs' })).row.id}`;
const HELLO = { instanceId: randomUUID(), name: 'm', platform: 'linux', version: '1', workspaces: [{ path: '/', name: '/' }], tools: [], calls: [] };
/** A machine of the owner, which has greeted. */
const ownersMachine = async () => {
  const gatewayId = randomUUID();
  assert.ok(((await (await opened(GATEWAY_NAMESPACE, rig.node.key)).emitWithAck('gateway:hello', { ...HELLO, gatewayId })) as Result<unknown>).ok);
  return { ...HELLO, gatewayId };
};
const AGENT = { namespace: AGENT_NAMESPACE };
const MACHINE = { namespace: GATEWAY_NAMESPACE };
const HTTP = { namespace: 'http' };

const ROWS: Readonly<Record<string, Row>> = {
  'a request of a wrong shape': {
    told: { ...AGENT, code: 'invalid_payload', name: 'session:attach' },
    ask: emits(AGENT_NAMESPACE, 'session:attach', () => ({ sessionId: CANARY })),
  },
  'a request that somebody made up': {
    told: { ...AGENT, code: 'invalid_payload', name: '[unknown]' },
    ask: emits(AGENT_NAMESPACE, CANARY, () => ({})),
  },
  'a request that is too large': {
    told: { ...AGENT, code: 'too_large', name: '[unknown]' },
    ask: emits(AGENT_NAMESPACE, 'session:create', () => ({ title: 'x'.repeat(5_000_000) })),
  },
  'a request that the scope of a key does not cover': {
    told: { ...AGENT, code: 'forbidden', name: 'session:create' },
    scopes: ['read'],
    ask: emits(AGENT_NAMESPACE, 'session:create', () => ({})),
  },
  'another’s session': {
    told: { ...AGENT, code: 'not_found', name: 'session:attach' },
    ask: emits(AGENT_NAMESPACE, 'session:attach', ownersSession),
  },
  'a machine that says what is wrong': {
    told: { ...MACHINE, code: 'invalid_payload', name: 'gateway:hello' },
    ask: emits(GATEWAY_NAMESPACE, 'gateway:hello', () => ({ name: CANARY })),
  },
  'a machine that speaks before it greets': {
    told: { ...MACHINE, code: 'conflict', name: 'tool:started' },
    ask: emits(GATEWAY_NAMESPACE, 'tool:started', () => ({ callId: randomUUID() })),
  },
  'another’s machine': {
    told: { ...MACHINE, code: 'not_found', name: 'gateway:hello' },
    ask: emits(GATEWAY_NAMESPACE, 'gateway:hello', ownersMachine),
  },
  'a body of a wrong shape': {
    told: { ...HTTP, code: 'invalid_payload', method: 'POST', route: '/api/keys' },
    ask: requests('POST', () => '/api/keys', JSON.stringify({ name: 'x', [CANARY]: 1, expiresInDays: CANARY })),
  },
  'a body that is too large': {
    told: { ...HTTP, code: 'too_large', method: 'POST', route: '/api/keys' },
    ask: requests('POST', () => '/api/keys', JSON.stringify({ name: 'x'.repeat(20_000) })),
  },
  'a route that the scope of a key does not cover': {
    told: { ...HTTP, code: 'forbidden', method: 'POST', route: '/api/keys' },
    scopes: ['read'],
    ask: requests('POST', () => '/api/keys', '{"name":"x"}'),
  },
  'a route of owners, by a member': {
    told: { ...HTTP, code: 'forbidden', method: 'GET', route: '/api/people' },
    ask: requests('GET', () => '/api/people'),
  },
  'another’s key': {
    told: { ...HTTP, code: 'not_found', method: 'DELETE', route: '/api/keys/:id' },
    ask: requests('DELETE', ownersKey),
  },
  'a route of the command line': {
    told: { ...HTTP, code: 'not_found', method: 'POST', route: '/api/sign-in-links' },
    ask: requests('POST', () => '/api/sign-in-links'),
  },
};

describe('H36: each kind of refusal has a line at the usual level, with who, what, why and from where', () => {
  for (const [what, { told, scopes, ask }] of Object.entries(ROWS)) {
    test(`H36: ${what}`, async () => {
      const { userId } = await rig.node.addUser();
      const { key, row } = await rig.node.server.auth.createKey({ userId, name: 'tests', ...(scopes && { scopes }) });
      await ask({ userId, key });
      const own = await until({
        what: 'the line',
        pollMs: 5,
        check: () => {
          const lines = rig.told().filter((line) => line.userId === userId);
          return lines.length > 0 && lines;
        },
      });
      const expected = { level: 'info', event: 'request_refused', ...told, userId, credentialId: row.id, address: '127.0.0.1', count: 1 };
      assert.deepEqual(
        own.map((line) => Object.fromEntries(Object.keys(expected).map((name) => [name, line[name as keyof Line]]))),
        [expected],
      );
    });
  }

  test('H36: of somebody who is unknown the address is told, and what they made up never is', async () => {
    const answer = await fetch(`${rig.node.url}/api/auth/sign-in`, {
      method: 'POST',
      headers: { origin: rig.node.url },
      body: JSON.stringify({ email: CANARY }),
    });
    assert.equal(answer.status, 400);
    await fetch(`${rig.node.url}/${CANARY}`);
    const ofNobody = () => rig.told().filter(({ userId }) => userId === undefined);
    await until({ what: 'the line', pollMs: 5, check: () => ofNobody().length > 0 });
    const [line, ...more] = ofNobody();
    assert.deepEqual([line?.code, line?.route, line?.address, more], ['invalid_payload', '/api/auth/sign-in', '127.0.0.1', []]);
    assert.ok(!rig.raw().includes(CANARY));
  });
});

test('H36: of 10,000 refused requests over 25 connections and 1,000 over HTTP the log has few lines, and their counts are how many it were', async () => {
  const flooded = await toldRig();
  const heard: Record<string, number> = {};
  const hear = (where: string, code: string) => {
    heard[`${where} ${code}`] = (heard[`${where} ${code}`] ?? 0) + 1;
  };
  try {
    const { url, key } = flooded.node;
    const auth = { protocol: 1, token: key, client: { name: 'test', version: '1' } };
    for (let connection = 0; connection < 25; connection += 1) {
      const socket = io(`${url}${AGENT_NAMESPACE}`, { path: SOCKET_PATH, auth, reconnection: false, forceNew: true, transports: ['websocket'] });
      await connected(socket);
      const wrong = (index: number): [string, object] => (index % 2 === 0 ? ['session:attach', { sessionId: randomUUID() }] : ['made up', {}]);
      const answers = await Promise.all(Array.from({ length: 400 }, (_, index) => socket.emitWithAck(...wrong(index)) as Promise<Result<unknown>>));
      for (const answer of answers) hear(AGENT_NAMESPACE, answer.ok ? 'let in' : answer.error.code);
      socket.disconnect();
    }
    for (let round = 0; round < 20; round += 1) {
      const asks = Array.from({ length: 50 }, () => fetch(`${url}/api/keys`, { method: 'POST', headers: { authorization: `Bearer ${key}` }, body: '{}' }));
      for (const answer of await Promise.all(asks)) hear('http', ((await answer.json()) as { error: { code: string } }).error.code);
    }
  } finally {
    await flooded[Symbol.asyncDispose]();
  }
  const counted: Record<string, number> = {};
  for (const { namespace, code, count } of flooded.told()) counted[`${namespace} ${code}`] = (counted[`${namespace} ${code}`] ?? 0) + count;
  assert.deepEqual(counted, heard);
  assert.equal(
    Object.values(heard).reduce((sum, count) => sum + count),
    11_000,
  );
  assert.ok((heard['/agent not_found'] ?? 0) > 0 && (heard['/agent rate_limited'] ?? 0) > 0);
  assert.ok(flooded.told().length < 110, `${flooded.told().length} lines`);
});
