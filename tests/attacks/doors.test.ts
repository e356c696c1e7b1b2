import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, describe, test } from 'node:test';
import { AGENT_NAMESPACE, GATEWAY_NAMESPACE, PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { nodeRig, within } from '@tendon/testing';
import { io } from 'socket.io-client';

/*
 * Who comes in over a real socket: every way to name a host and an origin, by polling and by WebSocket, to both namespaces, always with a
 * right key. A key must not help a page of another site, nor a name that was made to lead here (DNS rebinding).
 */

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());
const { port } = rig.server;

interface Knock {
  readonly title: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly isLetIn: boolean;
}

const own = `127.0.0.1:${port}`;
const letIn: readonly [string, Record<string, string>][] = [
  ['a script without Origin', {}],
  ['our page by address', { origin: `http://${own}` }],
  ['our page by name', { host: `localhost:${port}`, origin: `http://localhost:${port}` }],
  ['our page by IPv6', { host: `[::1]:${port}`, origin: `http://[::1]:${port}` }],
];
const keptOut: readonly [string, Record<string, string>][] = [
  ['another site', { origin: 'https://evil.example' }],
  ['another site that says same-origin', { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' }],
  ['a sandboxed frame', { origin: 'null' }],
  ['an empty origin', { origin: '' }],
  ['a file', { origin: 'file://' }],
  ['an extension', { origin: 'chrome-extension://abcdefghijklmnop' }],
  ['a web view', { origin: 'app://.' }],
  ['another local port', { origin: 'http://localhost:1337' }],
  ['our name without port', { origin: 'http://localhost' }],
  ['https for http', { origin: `https://${own}` }],
  ['our address as a prefix', { origin: `http://${own}.evil.example` }],
  ['our name as a prefix', { origin: `http://localhost.evil.example:${port}` }],
  ['our address as a user', { origin: `http://${own}@evil.example` }],
  ['our address in a path', { origin: `http://evil.example/${own}` }],
  ['upper case', { origin: `http://LOCALHOST:${port}` }],
  ['a trailing dot', { origin: `http://localhost.:${port}` }],
  ['a trailing slash', { origin: `http://${own}/` }],
  ['two origins', { origin: `http://${own} https://evil.example` }],
  ['another notation of our address', { origin: `http://2130706433:${port}` }],
  ['a rebound name', { host: `evil.example:${port}` }],
  ['a rebound name and its own origin', { host: `evil.example:${port}`, origin: `http://evil.example:${port}` }],
  ['a rebound name and our origin', { host: `evil.example:${port}`, origin: `http://${own}` }],
  ['a rebound name without port', { host: 'evil.example' }],
  ['a name that resolves to us', { host: `127.0.0.1.nip.example:${port}` }],
  ['another loopback address', { host: `127.0.0.2:${port}` }],
  ['the wildcard address', { host: `0.0.0.0:${port}` }],
  ['a host with a trailing dot', { host: `localhost.:${port}` }],
  ['a host in upper case', { host: `LOCALHOST:${port}` }],
  ['a host with a user', { host: `evil@${own}` }],
  ['another site without Origin', { 'sec-fetch-site': 'cross-site' }],
  ['another local port without Origin', { 'sec-fetch-site': 'same-site' }],
  ['a forwarded host', { host: `evil.example:${port}`, 'x-forwarded-host': own, 'x-forwarded-for': '127.0.0.1', forwarded: `host=${own}` }],
];
const KNOCKS: readonly Knock[] = [
  ...letIn.map(([title, headers]) => ({ title, headers, isLetIn: true })),
  ...keptOut.map(([title, headers]) => ({ title, headers, isLetIn: false })),
];

type Headers = Readonly<Record<string, string>>;

/** Whether a socket with these headers and the owner's key was let in. */
function knock(namespace: string, transport: 'polling' | 'websocket', headers: Headers): Promise<boolean> {
  const handshake = { protocol: PROTOCOL_VERSION, token: rig.key, client: { name: 'knock', version: '1' } };
  return transport === 'websocket' ? knockByWebSocket(namespace, handshake, headers) : knockByPolling(namespace, handshake, headers);
}

async function knockByWebSocket(namespace: string, auth: object, headers: Headers): Promise<boolean> {
  const socket = io(new URL(namespace, rig.url).href, {
    ...{ path: SOCKET_PATH, auth, reconnection: false, forceNew: true, transports: ['websocket'], extraHeaders: { ...headers } },
  });
  const answer = new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('connect_error', () => resolve(false));
  });
  try {
    return await within('an answer to the handshake', answer);
  } finally {
    socket.disconnect();
  }
}

/** By hand: no library lets its user choose the Host of a poll. */
async function knockByPolling(namespace: string, auth: object, headers: Headers): Promise<boolean> {
  const opened = await poll('GET', '', { headers });
  if (opened.status !== 200) return false;
  const { sid } = JSON.parse(opened.text.slice(1)) as { sid: string };
  await poll('POST', `&sid=${sid}`, { headers, body: `40${namespace},${JSON.stringify(auth)}` });
  const { text } = await poll('GET', `&sid=${sid}`, { headers });
  await poll('POST', `&sid=${sid}`, { headers, body: '1' });
  return text.startsWith(`40${namespace},`);
}

function poll(method: string, query: string, { headers, body }: { headers: Headers; body?: string }): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path: `${SOCKET_PATH}?EIO=4&transport=polling${query}`, headers, agent: false };
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

for (const namespace of [AGENT_NAMESPACE, GATEWAY_NAMESPACE]) {
  for (const transport of ['polling', 'websocket'] as const) {
    describe(`${namespace} by ${transport}`, () => {
      for (const { title, headers, isLetIn } of KNOCKS) {
        test(`H1, T2: ${title} is ${isLetIn ? 'let in' : 'kept out'}`, async () => {
          assert.equal(await knock(namespace, transport, headers), isLetIn);
        });
      }
    });
  }
}

describe('with every wrong credential', () => {
  const WRONG: readonly [string, unknown][] = [
    ['none', undefined],
    ['an empty one', ''],
    ['the key with a space', `${rig.key} `],
    ['the key in upper case', rig.key.toUpperCase()],
    ['the key without its end', rig.key.slice(0, -1)],
    ['the key with more', `${rig.key}x`],
    ['the key as bearer', `Bearer ${rig.key}`],
    ['its mark alone', 'tnd_'],
    ['a session token that was never made', `tns_${'A'.repeat(43)}`],
    ['an unsigned JWT', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJvd25lciJ9.'],
    ['SQL', "' or '1'='1"],
    ['a NUL', '\u0000'],
    ['an object', { $ne: null }],
    ['a list', [rig.key]],
    ['a number', 1],
    ['true', true],
  ];
  for (const namespace of [AGENT_NAMESPACE, GATEWAY_NAMESPACE]) {
    for (const [title, token] of WRONG) {
      test(`H9: ${title} does not open ${namespace}`, async () => {
        const auth = { protocol: PROTOCOL_VERSION, ...(token === undefined ? {} : { token }), client: { name: 'knock', version: '1' } };
        const socket = io(new URL(namespace, rig.url).href, { path: SOCKET_PATH, auth, reconnection: false, forceNew: true, transports: ['websocket'] });
        const refusal = await new Promise<unknown>((resolve) => {
          socket.once('connect', () => resolve('let in'));
          socket.once('connect_error', (error: Error & { data?: { code: string } }) => resolve(error.data?.code));
        });
        socket.disconnect();
        assert.ok(refusal === 'unauthorized' || refusal === 'unsupported_protocol', String(refusal));
      });
    }
  }
});
