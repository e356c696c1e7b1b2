import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { LocalApprovals } from '@tendon/gateway/parts';
import { AGENT_NAMESPACE, type HandshakeRefusal, PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { AgentSocket, LossyProxy, type RelayBrowser, relayRig, relayTokenHeaders, until } from '@tendon/testing';
import { io, type Socket } from 'socket.io-client';
import { evilUpstream } from './evil-upstream-rig.ts';

/*
 * What lets the page of a relay in: a token for one socket, over real sockets, by a clock that stands still until a test moves it. Between
 * the relay and its server is a proxy that can be away.
 */

const PATH = '/api/auth/session-token';
const MINUTE = 60_000;
const MOST_PAGES = 64;

let now = 0;
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
const upstream = stack.use(await evilUpstream());
const proxy = stack.use(await LossyProxy.start({ port: Number(new URL(upstream.url).port) }));
const front = stack.use(await relayRig({ serverUrl: proxy.url, key: 'tdn_key', approvals: new LocalApprovals(crypto.randomUUID()), now: () => now }));
const own = front.relay.url;
// Every test has its minute, and with it its share of what the limits allow.
beforeEach(() => {
  now += 5 * MINUTE;
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function send(path: string, headers: Record<string, string>, method = 'POST'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${own}${path}`, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(method === 'POST' ? '{}' : undefined);
  });
}

const asked = (browser: RelayBrowser): Promise<Answer> => send(PATH, relayTokenHeaders(own, browser));

function without(headers: Record<string, string>, ...names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

function codeOf({ text }: Answer): string | undefined {
  return text.startsWith('{"error"') ? (JSON.parse(text) as { error: { code: string } }).error.code : undefined;
}

/** A browser that is signed in, with a token that its page has asked for. */
async function withToken(): Promise<{ readonly browser: RelayBrowser; readonly token: string }> {
  const browser = await front.signIn();
  return { browser, token: await tokenOf(browser) };
}

async function tokenOf(browser: RelayBrowser): Promise<string> {
  const token = await front.token(browser);
  assert.ok(token);
  return token;
}

/** The page's connection, or the code of what it is refused with. */
async function knock(browser: RelayBrowser, token: string): Promise<AgentSocket | string> {
  try {
    return await front.page({ browser, token });
  } catch (error) {
    return ((error as Error).cause as HandshakeRefusal | undefined)?.code ?? String(error);
  }
}

async function isLetIn(browser: RelayBrowser, token: string): Promise<boolean> {
  const outcome = await knock(browser, token);
  if (outcome instanceof AgentSocket) outcome.close();
  else assert.equal(outcome, 'unauthorized');
  return outcome instanceof AgentSocket;
}

const madeTokens = (): number => front.logLines.filter(({ path, outcome }) => path === 'session_token' && outcome === 'accepted').length;

test('L9: a page gets a token that is kept by nobody, and is let in with it', async () => {
  const browser = await front.signIn();
  const answer = await asked(browser);
  assert.equal(answer.status, 201);
  const { token, ...rest } = JSON.parse(answer.text) as { token: string };
  assert.match(token, /^trs_[\w-]{43}$/);
  assert.deepEqual(rest, { expiresInMs: 60_000 });
  assert.deepEqual(
    [answer.headers['cache-control'], answer.headers['set-cookie'], answer.headers['access-control-allow-origin']],
    ['no-store', undefined, undefined],
  );
  const page = await front.page({ browser, token });
  upstream.heard.length = 0;
  await page.request('session:list', {});
  assert.deepEqual(upstream.heard, [{ name: 'session:list', payload: {} }]);
  page.close();
  assert.ok(!JSON.stringify(front.logLines).includes(token.slice(4)), 'the token is in the log');
  assert.ok(await isLetIn(browser, await tokenOf(browser)));
  const byOrigin = await send(PATH, without(relayTokenHeaders(own, browser), 'Sec-Fetch-Site'));
  assert.equal(byOrigin.status, 201, 'a browser that says nothing of the site says the origin');
});

test('L9: every request for a token is one line of the log', async () => {
  const browser = await front.signIn();
  const before = front.logLines.length;
  await asked(browser);
  await asked({ ...browser, pageKey: 'tdr_x' });
  await asked({ ...browser, cookie: '' });
  assert.deepEqual(
    front.logLines.slice(before).map(({ component, event, path, outcome, code }) => [component, event, path, outcome, code]),
    [
      ['relay', 'auth', 'session_token', 'accepted', undefined],
      ['relay', 'auth', 'session_token', 'refused', 'forbidden_origin'],
      ['relay', 'auth', 'session_token', 'refused', 'unauthorized'],
    ],
  );
});

describe('what a request must have', () => {
  const SITES = [undefined, 'none', 'same-origin', 'same-site', 'cross-site', 'same-origin, same-origin'] as const;
  const ORIGINS = [undefined, own, own.replace('127.0.0.1', 'localhost'), 'null', 'https://evil.example', `${own}.evil.example`] as const;
  const TYPES = ['application/json', 'application/json;charset=utf-8', 'text/plain', 'application/jsonp', undefined] as const;

  for (const site of SITES) {
    for (const origin of ORIGINS) {
      const isOwn = site === undefined ? origin === own : site === 'same-origin' && (origin === undefined || origin === own);
      test(`L9: Sec-Fetch-Site ${site ?? 'absent'}, Origin ${origin?.replace(own, 'own').replace(/:\d+/, '') ?? 'absent'}: ${isOwn ? 'with JSON' : 'nothing'}`, async () => {
        const headers = without(relayTokenHeaders(own, await front.signIn()), 'Sec-Fetch-Site', 'Origin', 'Content-Type');
        for (const type of TYPES) {
          const before = madeTokens();
          const isMade = isOwn && type?.startsWith('application/json') === true && type !== 'application/jsonp';
          const said = { 'Sec-Fetch-Site': site, Origin: origin, 'Content-Type': type };
          const more = Object.fromEntries(Object.entries(said).filter((pair): pair is [string, string] => pair[1] !== undefined));
          const answer = await send(PATH, { ...headers, ...more });
          assert.deepEqual([answer.status, madeTokens() - before], isMade ? [201, 1] : [403, 0], `${type} ${answer.text}`);
          assert.equal(answer.headers['cache-control'], 'no-store');
        }
      });
    }
  }

  test('L9: without any one of what only its page can send, nothing is made', async () => {
    const [browser, other] = [await front.signIn(), await front.signIn()];
    const headers = relayTokenHeaders(own, browser);
    const name = browser.cookie.split('=')[0];
    const table: [string, Record<string, string>, number, string][] = [
      ['no cookie', without(headers, 'Cookie'), 401, 'unauthorized'],
      ['a cookie that is none', { ...headers, Cookie: `${name}=${'A'.repeat(43)}` }, 401, 'unauthorized'],
      ['an empty cookie', { ...headers, Cookie: `${name}=` }, 401, 'unauthorized'],
      ['the page key as a cookie', { ...headers, Cookie: `${name}=${browser.pageKey}` }, 401, 'unauthorized'],
      ['the cookie of another relay', { ...headers, Cookie: browser.cookie.replace(/\d+=/, '1=') }, 401, 'unauthorized'],
      ['a key in place of the cookie', { ...without(headers, 'Cookie'), Authorization: 'Bearer tdn_key' }, 401, 'unauthorized'],
      ["another browser's cookie", { ...headers, Cookie: other.cookie }, 403, 'forbidden_origin'],
      ['no page key', without(headers, 'X-CSRF-Token'), 403, 'forbidden_origin'],
      ['an empty page key', { ...headers, 'X-CSRF-Token': '' }, 403, 'forbidden_origin'],
      ['a page key that is none', { ...headers, 'X-CSRF-Token': `tdr_${'A'.repeat(43)}` }, 403, 'forbidden_origin'],
      ["another browser's page key", { ...headers, 'X-CSRF-Token': other.pageKey }, 403, 'forbidden_origin'],
      ['the cookie as the page key', { ...headers, 'X-CSRF-Token': browser.cookie.split('=')[1] ?? '' }, 403, 'forbidden_origin'],
      ['a token as the page key', { ...headers, 'X-CSRF-Token': await tokenOf(browser) }, 403, 'forbidden_origin'],
      ['the page key as Authorization', { ...without(headers, 'X-CSRF-Token'), Authorization: `Bearer ${browser.pageKey}` }, 403, 'forbidden_origin'],
      ['no header of ours', without(headers, 'X-Requested-With'), 403, 'forbidden_origin'],
      ['the header of another library', { ...headers, 'X-Requested-With': 'XMLHttpRequest' }, 403, 'forbidden_origin'],
    ];
    const before = madeTokens();
    for (const [title, sent, status, code] of table) {
      const answer = await send(PATH, sent);
      assert.deepEqual([answer.status, codeOf(answer), answer.headers['cache-control']], [status, code, 'no-store'], title);
    }
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const answer = await send(PATH, headers, method);
      assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [404, undefined], method);
    }
    assert.equal(madeTokens(), before);
    assert.equal((await send(PATH, headers)).status, 201, 'and with all of it there is one');
  });
});

describe('what a token is good for', () => {
  test('L9: it lets in once: not while that page is there, and not after it has gone', async () => {
    const { browser, token } = await withToken();
    const page = await front.page({ browser, token });
    assert.equal(await isLetIn(browser, token), false);
    page.close();
    await page.ended;
    assert.equal(await isLetIn(browser, token), false);
  });

  test('L9: of 100 handshakes at once exactly one connects, each time, also when the server takes its time', async () => {
    const browser = await front.signIn();
    for (const isSlow of [false, false, true, true]) {
      const [token, before] = [await tokenOf(browser), upstream.letIn];
      const dialled = proxy.nextConnection();
      if (isSlow) proxy.stall('down');
      const knocking = Array.from({ length: 100 }, () => knock(browser, token));
      const refused: string[] = [];
      for (const one of knocking) void one.then((outcome) => typeof outcome === 'string' && refused.push(outcome));
      await dialled;
      if (isSlow) await until({ what: 'all others to be refused', pollMs: 5, check: () => refused.length === 99 || undefined });
      proxy.resume();
      const pages = (await Promise.all(knocking)).filter((outcome) => outcome instanceof AgentSocket);
      assert.equal(pages.length, 1);
      assert.deepEqual(refused, Array(99).fill('unauthorized'));
      assert.equal(upstream.letIn - before, 1, 'the server was asked for one');
      pages[0]?.close();
    }
  });

  for (const [ms, isGood] of [
    [59_999, true],
    [60_000, false],
  ] as const)
    test(`L9: after ${ms} ms it lets ${isGood ? 'in' : 'nobody in'}`, async () => {
      const { browser, token } = await withToken();
      now += ms;
      assert.equal(await isLetIn(browser, token), isGood);
    });

  test('L9: in another browser it lets nobody in, and is not used up by the attempt', async () => {
    const { browser, token } = await withToken();
    const other = await front.signIn();
    for (const cookie of [other.cookie, '', `${browser.cookie}x`]) assert.equal(await isLetIn({ ...browser, cookie }, token), false);
    assert.equal(await isLetIn(browser, token), true);
  });

  test("L9: a handshake with the page's key, without a token, or with one that was never made is refused, by WebSocket and by polling, and goes to no server", async () => {
    const { browser, token } = await withToken();
    const before = upstream.letIn;
    const wrong = [browser.pageKey, `tdr_${'A'.repeat(43)}`, 'tdr_', `trs_${'A'.repeat(43)}`, 'trs_', token.slice(0, -1), undefined];
    for (const transport of ['websocket', 'polling'] as const)
      for (const key of wrong) assert.equal(await outcomeOf(open({ browser, token: key, transport })), 'unauthorized', `${key} by ${transport}`);
    assert.equal(upstream.letIn, before);
    assert.equal(await outcomeOf(open({ browser, token, transport: 'polling' })), 'let in');
  });

  test('L2, L9: signing out ends its tokens, its page and what is still dialled for it', async () => {
    const { browser, token } = await withToken();
    const page = await front.page({ browser, token: await tokenOf(browser) });
    proxy.stall('down');
    const dialled = proxy.nextConnection();
    const dialling = open({ browser, token: await tokenOf(browser), transport: 'websocket' });
    const outcome = outcomeOf(dialling);
    await dialled;
    assert.equal((await send('/api/auth/sign-out', { Cookie: browser.cookie, Origin: own })).status, 200);
    await page.ended;
    proxy.resume();
    assert.notEqual(await outcome, 'let in');
    assert.equal(await isLetIn(browser, token), false);
    assert.equal((await asked(browser)).status, 401);
  });
});

/** A bare socket; its caller ends it. */
function open({ browser, token, transport }: { browser: RelayBrowser; token: string | undefined; transport: 'websocket' | 'polling' }): Socket {
  const socket = io(new URL(AGENT_NAMESPACE, own).href, {
    ...{ path: SOCKET_PATH, reconnection: false, forceNew: true, transports: [transport] },
    auth: { protocol: PROTOCOL_VERSION, ...(token === undefined ? {} : { token }), client: { name: 'page', version: '1' } },
    extraHeaders: { Cookie: browser.cookie, Origin: own },
  });
  stack.defer(() => void socket.disconnect());
  return socket;
}

async function outcomeOf(socket: Socket): Promise<string> {
  const outcome = await new Promise<string>((resolve) => {
    socket.once('connect', () => resolve('let in'));
    socket.once('connect_error', (error: Error & { data?: HandshakeRefusal }) => resolve(error.data?.code ?? error.message));
    socket.once('disconnect', (reason) => resolve(reason));
  });
  socket.disconnect();
  return outcome;
}

describe('while the server is away', () => {
  test('L9: a token lasts over any number of tries, and lets in when the server is back, once', async () => {
    const { browser, token } = await withToken();
    await proxy.refuse();
    for (let tries = 0; tries < 5; tries += 1) assert.equal(await knock(browser, token), 'unavailable');
    await proxy.accept();
    upstream.refusal = { code: 'rate_limited', message: 'later' };
    assert.equal(await knock(browser, token), 'rate_limited', 'the words of the server');
    upstream.refusal = undefined;
    now += 59_999;
    assert.equal(await isLetIn(browser, token), true);
    assert.equal(await isLetIn(browser, token), false);
  });

  test('L9: it does not last longer than it would have', async () => {
    const { browser, token } = await withToken();
    await proxy.refuse();
    assert.equal(await knock(browser, token), 'unavailable');
    now += 60_000;
    assert.equal(await isLetIn(browser, token), false);
    await proxy.accept();
  });

  test('L9: a page that leaves while the server is dialled leaves its token free', async () => {
    const { browser, token } = await withToken();
    const before = new Set(proxy.connections);
    proxy.stall('down');
    const dialled = proxy.nextConnection();
    const leaving = open({ browser, token, transport: 'websocket' });
    await dialled;
    assert.equal(await isLetIn(browser, token), false);
    leaving.disconnect();
    await until({ what: 'the relay to have seen it leave', pollMs: 5, check: () => proxy.connections.every((one) => before.has(one)) });
    proxy.resume();
    assert.equal(await isLetIn(browser, token), true);
  });
});

describe('how often', () => {
  test('L9: as many pages as may be open come back at once after an outage, without waiting', async () => {
    const browser = await front.signIn();
    const come = (): Promise<AgentSocket[]> =>
      Promise.all(Array.from({ length: MOST_PAGES }, async () => front.page({ browser, token: await tokenOf(browser) })));
    const pages = await come();
    proxy.cut();
    await Promise.all(pages.map(({ ended }) => ended));
    const again = await come();
    assert.ok(again.every(({ isConnected }) => isConnected));
    for (const page of again) page.close();
    await Promise.all(again.map(({ ended }) => ended));
  });

  test('L9: a sign-in gets no more than 256 tokens in any minute, and is told when to come back; others are not held up', async () => {
    const browser = await front.signIn();
    const first = await Promise.all(Array.from({ length: 2 * MOST_PAGES }, () => asked(browser)));
    assert.deepEqual([...new Set(first.map(({ status }) => status))], [201]);
    const refused = await asked(browser);
    assert.deepEqual(
      [refused.status, codeOf(refused), refused.headers['retry-after'], refused.headers['cache-control']],
      [429, 'rate_limited', '1', 'no-store'],
    );
    assert.equal((await asked(await front.signIn())).status, 201);
    let made = first.length;
    for (let tries = 0; tries < 300; tries += 1) {
      now += 199;
      made += (await asked(browser)).status === 201 ? 1 : 0;
    }
    assert.ok(made >= 250 && made <= 256, `${made} in a minute`);
  });

  test('L9: all sign-ins together get no more than 640 tokens in any minute, and one that asks in a loop takes nothing of the others', async () => {
    const browsers = await Promise.all(Array.from({ length: 5 }, () => front.signIn()));
    const made = async (times: number): Promise<number> => {
      const answers = await Promise.all(browsers.flatMap((browser) => Array.from({ length: times }, () => asked(browser))));
      return answers.filter(({ status }) => status === 201).length;
    };
    assert.equal(await made(80), 320);
    const refused = await asked(await front.signIn());
    assert.deepEqual([refused.status, codeOf(refused), refused.headers['retry-after']], [429, 'rate_limited', '1']);
    let inAll = 320;
    for (let step = 0; step < 12; step += 1) {
      now += 4_999;
      inAll += await made(8);
    }
    assert.ok(inAll >= 600 && inAll <= 640, `${inAll} in a minute`);
    now += 5 * MINUTE;
    const [looping, other] = [await front.signIn(), await front.signIn()];
    const many = await Promise.all(Array.from({ length: 400 }, () => asked(looping)));
    assert.equal(many.filter(({ status }) => status === 201).length, 2 * MOST_PAGES);
    assert.equal((await asked(other)).status, 201);
  });

  test('L9: who lacks something is answered no more than 128 times in any minute, and keeps no page from its tokens, also with its cookie', async () => {
    const browser = await front.signIn();
    const headers = relayTokenHeaders(own, browser);
    const lacking = [
      without(headers, 'Cookie', 'X-CSRF-Token'),
      without(headers, 'X-CSRF-Token'),
      without(headers, 'X-Requested-With'),
      { ...headers, 'Sec-Fetch-Site': 'cross-site' },
      { ...headers, 'X-CSRF-Token': (await front.signIn()).pageKey },
    ];
    const ask = async (times: number): Promise<number> => {
      const answers = await Promise.all(lacking.flatMap((sent) => Array.from({ length: times }, () => send(PATH, sent))));
      assert.ok(answers.every(({ status }) => [401, 403, 429].includes(status)));
      return answers.filter(({ status }) => status !== 429).length;
    };
    assert.equal(await ask(100), 64);
    const refused = await send(PATH, lacking[0] ?? {});
    assert.deepEqual([refused.status, codeOf(refused), refused.headers['retry-after']], [429, 'rate_limited', '1']);
    const pages = await Promise.all(Array.from({ length: 2 * MOST_PAGES }, () => asked(browser)));
    assert.deepEqual([...new Set(pages.map(({ status }) => status))], [201]);
    let answered = 64;
    for (let step = 0; step < 12; step += 1) {
      now += 4_999;
      answered += await ask(4);
      assert.equal((await asked(browser)).status, 201);
    }
    assert.ok(answered >= 120 && answered <= 128, `${answered} in a minute`);
  });
});

test('L9, I15: no answer of any route of a relay, and no line of its log, has the cookie or the key of its page in any encoding', async () => {
  const browser = await front.signIn();
  const source = await readFile(join(import.meta.dirname, '../../packages/gateway/src/relay/relay-http.ts'), 'utf8');
  const routes = [...source.matchAll(/\bapp\.(get|post|all)\('([^']+)'/g)].map(
    ([, method = '', path = '']) => [method, path === '*' ? '/machines' : path.replace('*', 'x')] as const,
  );
  assert.ok(routes.some(([, path]) => path === PATH) && routes.length >= 7, 'the routes are declared in another way now');
  const secrets = [browser.cookie.split('=')[1] ?? '', browser.pageKey];
  const forms = secrets.flatMap((secret) => [
    secret,
    ...(['hex', 'base64', 'base64url'] as const).flatMap((encoding) => [
      Buffer.from(secret).toString(encoding).replace(/=+$/, ''),
      createHash('sha256').update(secret).digest(encoding).replace(/=+$/, ''),
    ]),
  ]);
  const carriers = [relayTokenHeaders(own, browser), { Cookie: browser.cookie }, relayTokenHeaders(own, { ...browser, pageKey: 'tdr_x' })];
  let seen = 0;
  for (const headers of carriers) {
    for (const [method, path] of routes.filter(([, path]) => path !== '/api/auth/sign-out')) {
      const answer = await send(path, headers, method === 'get' ? 'GET' : 'POST');
      const shown = `${JSON.stringify(answer.headers)}\n${answer.text}`;
      for (const form of forms) assert.ok(!shown.includes(form), `${method} ${path} shows ${form}`);
      seen += 1;
    }
  }
  const out = await send('/api/auth/sign-out', carriers[0] ?? {});
  for (const form of forms) assert.ok(!`${JSON.stringify(out.headers)}${out.text}${JSON.stringify(front.logLines)}`.includes(form));
  assert.ok(seen >= 21 && out.status === 200);
});
