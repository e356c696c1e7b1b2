import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { cookiePair } from '../auth/auth-rig.ts';
import { type Answer, type HttpRig, httpRig } from './http-rig.ts';

const PATH = '/api/auth/session-token';
const DESKTOP = 'Mozilla/5.0 (X11; Linux x86_64) TendonDesktop/0.1.0';
const MINUTE = 60_000;

let rig: HttpRig;
before(async () => {
  rig = await httpRig({ desktop: true });
});
after(() => rig[Symbol.asyncDispose]());
// Every test has its minute, and with it its share of what the limits allow.
beforeEach(() => {
  rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + 5 * MINUTE);
});

/** A browser that has signed in and loaded the page: what it sends with a right request. */
async function page(own: HttpRig = rig): Promise<Record<string, string>> {
  const link = new URL(await own.auth.auth.signInLink());
  const signedIn = cookiePair(String((await own.ask('GET', `${link.pathname}${link.search}`)).headers['set-cookie']?.[0]));
  const me = await own.ask('GET', '/api/me', { Cookie: signedIn, 'Sec-Fetch-Site': 'same-origin' });
  const csrf = cookiePair(String(me.headers['set-cookie']?.find((line) => line.includes('.csrf='))));
  return {
    'User-Agent': DESKTOP,
    'Content-Type': 'application/json',
    'X-Requested-With': 'tendon',
    'X-CSRF-Token': csrf.slice(csrf.indexOf('=') + 1),
    'Sec-Fetch-Site': 'same-origin',
    Origin: own.origin,
    Cookie: `${signedIn}; ${csrf}`,
  };
}

function without(headers: Record<string, string>, ...names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

function tokenOf(answer: Answer): string {
  assert.equal(answer.status, 201, answer.body.toString());
  return (JSON.parse(answer.body.toString()) as { token: string }).token;
}

function codeOf(answer: Answer): string {
  return (JSON.parse(answer.body.toString()) as { error: { code: string } }).error.code;
}

function open(token: string, more: { origin?: string; namespace?: '/agent' | '/gateway' | 'http' } = {}) {
  const headers = { origin: more.origin ?? rig.origin, host: `127.0.0.1:${rig.port}` };
  return rig.auth.auth.authenticate({ token, headers, address: '127.0.0.1', namespace: more.namespace ?? '/agent' });
}

async function storedTokens(): Promise<number> {
  const { rows } = await rig.auth.database.pool.query<{ count: string }>('select count(*) from session_tokens');
  return Number(rows[0]?.count);
}

test('H20: outside desktop mode, and for any other user agent, there is nothing at this address', async () => {
  await using plain = await httpRig();
  const headers = await page(rig);
  assert.equal((await plain.post(PATH, { ...headers, Origin: plain.origin }, '{}')).status, 404);
  const unknown = await rig.post('/api/auth/no-such-route', headers, '{}');
  for (const agent of ['Mozilla/5.0', 'NotTendonDesktop/1', 'TendonDesktop', '']) {
    const answer = await rig.post(PATH, { ...headers, 'User-Agent': agent }, '{}');
    assert.deepEqual([answer.status, answer.body.toString()], [404, unknown.body.toString()], agent);
  }
  assert.equal((await rig.ask('GET', PATH, headers)).status, 404);
});

test('H20: a page of ours gets a token that nothing of the cookie is in', async () => {
  const headers = await page();
  const answer = await rig.post(PATH, headers, '{}');
  const token = tokenOf(answer);
  assert.match(token, /^tns_[\w-]{43}$/);
  assert.equal(JSON.parse(answer.body.toString()).expiresInMs, 60_000);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(answer.headers['set-cookie'], undefined);
  const shown = `${JSON.stringify(answer.headers)}${answer.body.toString()}`;
  const cookie = decodeURIComponent(headers['Cookie']?.split('; ')[0]?.split('=')[1] ?? '');
  for (const secret of [cookie, String(cookie.split('.')[0])]) {
    assert.ok(secret.length > 20);
    const digests = (['hex', 'base64', 'base64url'] as const).map((encoding) => createHash('sha256').update(secret).digest(encoding));
    const forms = (['hex', 'base64', 'base64url'] as const).map((encoding) => Buffer.from(secret).toString(encoding).replace(/=+$/, ''));
    for (const form of [secret, encodeURIComponent(secret), ...forms, ...digests]) assert.ok(!shown.includes(form), `the answer shows ${form}`);
  }
  const { rows } = await rig.auth.database.pool.query('select * from session_tokens');
  assert.ok(!JSON.stringify(rows).includes(token.slice(4)), 'the token is stored in the clear');
  assert.ok(!rig.auth.rawLines.join('').includes(token.slice(4)), 'the token is in the log');
});

test('H20: without any one of what a page of ours sends, nothing is made', async () => {
  const headers = await page();
  const other = await page();
  const table: [string, Record<string, string>, number][] = [
    ['no cookie', without(headers, 'Cookie'), 401],
    ['the session cookie alone', { ...headers, Cookie: headers['Cookie']?.split('; ')[0] ?? '' }, 403],
    ['the CSRF cookie alone', { ...headers, Cookie: headers['Cookie']?.split('; ')[1] ?? '' }, 401],
    ['no CSRF header', without(headers, 'X-CSRF-Token'), 403],
    ['an empty CSRF header', { ...headers, 'X-CSRF-Token': '' }, 403],
    ['another CSRF header', { ...headers, 'X-CSRF-Token': 'a.b' }, 403],
    ['the CSRF header of another session', { ...headers, 'X-CSRF-Token': other['X-CSRF-Token'] ?? '' }, 403],
    [
      'header and cookie of another session',
      {
        ...headers,
        'X-CSRF-Token': other['X-CSRF-Token'] ?? '',
        Cookie: `${headers['Cookie']?.split('; ')[0]}; ${other['Cookie']?.split('; ')[1]}`,
      },
      403,
    ],
    ['two CSRF cookies', { ...headers, Cookie: `${headers['Cookie']}; ${other['Cookie']?.split('; ')[1]}` }, 403],
    ['no custom header', without(headers, 'X-Requested-With'), 403],
    ['another custom header', { ...headers, 'X-Requested-With': 'XMLHttpRequest' }, 403],
    ['no content type', without(headers, 'Content-Type'), 403],
    ['a form', { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' }, 403],
    ['plain text', { ...headers, 'Content-Type': 'text/plain;charset=UTF-8' }, 403],
    ['almost JSON', { ...headers, 'Content-Type': 'application/jsonp' }, 403],
    ['Sec-Fetch-Site: none', { ...without(headers, 'Origin'), 'Sec-Fetch-Site': 'none' }, 403],
    ['our Origin, and Sec-Fetch-Site: cross-site', { ...headers, 'Sec-Fetch-Site': 'cross-site' }, 403],
    ['our Origin, and Sec-Fetch-Site: same-site', { ...headers, 'Sec-Fetch-Site': 'same-site' }, 403],
    ['neither, and the custom header of another library', { ...without(headers, 'Origin', 'Sec-Fetch-Site'), 'X-Requested-With': 'XMLHttpRequest' }, 403],
    ['another Origin', { ...headers, Origin: 'https://evil.example' }, 403],
    ['an API key instead of the cookie', { ...without(headers, 'Cookie'), Authorization: 'Bearer tnd_x' }, 401],
  ];
  const before = await storedTokens();
  for (const [title, sent, status] of table) {
    rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + MINUTE);
    assert.equal((await rig.post(PATH, sent, '{}')).status, status, title);
  }
  assert.equal(await storedTokens(), before);
  tokenOf(await rig.post(PATH, without(headers, 'Origin', 'Sec-Fetch-Site'), '{}'));
  tokenOf(await rig.post(PATH, without(headers, 'Origin'), '{}'));
  tokenOf(await rig.post(PATH, without(headers, 'Sec-Fetch-Site'), ''));
});

test('H16, H20: a body that is too large is refused before anything else', async () => {
  assert.equal((await rig.post(PATH, await page(), `"${'x'.repeat(20_000)}"`)).status, 413);
});

test('H20: a session that is over gets no token', async () => {
  const headers = await page();
  assert.equal((await rig.post('/api/auth/sign-out', headers, '')).status, 200);
  assert.equal((await rig.post(PATH, headers, '{}')).status, 401);
});

test('H20: the CSRF cookie is for the page to read, and is renewed for a new session only', async () => {
  const link = new URL(await rig.auth.auth.signInLink());
  const signedIn = cookiePair(String((await rig.ask('GET', `${link.pathname}${link.search}`)).headers['set-cookie']?.[0]));
  const first = await rig.ask('GET', '/api/me', { Cookie: signedIn, 'Sec-Fetch-Site': 'same-origin' });
  const line = String(first.headers['set-cookie']?.find((text) => text.includes('.csrf=')));
  assert.match(line, new RegExp(`^tendon-${rig.port}\\.csrf=[\\w-]{22}\\.[\\w-]{43}; Path=/; SameSite=Strict$`));
  const again = await rig.ask('GET', '/api/me', { Cookie: `${signedIn}; ${cookiePair(line)}`, 'Sec-Fetch-Site': 'same-origin' });
  assert.equal(again.headers['set-cookie'], undefined);
});

test('H21: a token opens /agent once', async () => {
  const token = tokenOf(await rig.post(PATH, await page(), '{}'));
  for (const namespace of ['/gateway', 'http'] as const) assert.equal((await open(token, { namespace })).ok, false, namespace);
  const first = await open(token);
  assert.ok(first.ok);
  assert.deepEqual([first.principal.userId, first.principal.path, first.principal.kind], [rig.auth.auth.ownerId, 'token', 'user']);
  assert.ok(first.principal.expiresAt && first.principal.expiresAt > rig.auth.clock.now);
  const second = await open(token);
  assert.ok(!second.ok);
  assert.equal(second.code, 'unauthorized');
});

test('H21: a token of another origin opens nothing, and is not used up by the attempt', async () => {
  const token = tokenOf(await rig.post(PATH, await page(), '{}'));
  for (const origin of [`http://localhost:${rig.port}`, 'https://evil.example', 'null', '']) assert.equal((await open(token, { origin })).ok, false, origin);
  const none = await rig.auth.auth.authenticate({ token, headers: { host: `127.0.0.1:${rig.port}` }, address: '127.0.0.1', namespace: '/agent' });
  assert.equal(none.ok, false, 'no page at all');
  assert.equal((await open(token)).ok, true);
});

test('H21: a token is good for 60 seconds', async () => {
  const headers = await page();
  for (const [ms, isGood] of [
    [59_999, true],
    [60_000, false],
  ] as const) {
    const token = tokenOf(await rig.post(PATH, headers, '{}'));
    rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + ms);
    assert.equal((await open(token)).ok, isGood, `${ms} ms`);
  }
});

test('H14, H21: a token ends with its browser session, and so do the connections made with one', async () => {
  const headers = await page();
  const token = tokenOf(await rig.post(PATH, headers, '{}'));
  const used = await open(tokenOf(await rig.post(PATH, headers, '{}')));
  assert.ok(used.ok);
  const revoked: string[] = [];
  const forget = rig.auth.auth.onRevoked(({ credentialId }) => revoked.push(credentialId));
  await rig.post('/api/auth/sign-out', headers, '');
  forget();
  assert.deepEqual(revoked, [used.principal.credentialId]);
  assert.equal((await open(token)).ok, false);
});

test('H22: a browser session gets at most ten tokens in any minute, and is told when to come back', async () => {
  const headers = await page();
  for (let index = 0; index < 5; index += 1) tokenOf(await rig.post(PATH, headers, '{}'));
  const refused = await rig.post(PATH, headers, '{}');
  assert.deepEqual([refused.status, codeOf(refused), refused.headers['retry-after']], [429, 'rate_limited', '12']);
  tokenOf(await rig.post(PATH, await page(), '{}'));
  let made = 5;
  for (let second = 0; second < 59; second += 1) {
    rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + 1_000);
    made += (await rig.post(PATH, headers, '{}')).status === 201 ? 1 : 0;
  }
  assert.equal(made, 9);
});

test('H22: an address gets at most thirty answers in any minute, right or wrong', async () => {
  const headers = await page();
  for (let index = 0; index < 15; index += 1) assert.equal((await rig.post(PATH, without(headers, 'Cookie'), '{}')).status, 401);
  const refused = await rig.post(PATH, headers, '{}');
  assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '4']);
});

test('H13: every request for a token is one line of the log', async () => {
  const headers = await page();
  const before = rig.auth.lines.length;
  await rig.post(PATH, headers, '{}');
  await rig.post(PATH, without(headers, 'X-CSRF-Token'), '{}');
  const lines = rig.auth.lines.slice(before).map(({ event, path, outcome, code, address }) => ({ event, path, outcome, code, address }));
  assert.deepEqual(lines, [
    { event: 'auth', path: 'session_token', outcome: 'accepted', code: undefined, address: '127.0.0.1' },
    { event: 'auth', path: 'session_token', outcome: 'refused', code: 'forbidden_origin', address: '127.0.0.1' },
  ]);
});
