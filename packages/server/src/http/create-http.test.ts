import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { DOOR_TABLE, declaredRoutes, doorHeaders, within } from '@tendon/testing';
import { cookiePair } from '../auth/auth-rig.ts';
import { type Answer, type HttpRig, httpRig, PAGE, SCRIPT, spellings } from './http-rig.ts';

/** Every route there is, and some that are not. */
const ROUTES: readonly [string, string][] = [
  ['GET', '/healthz'],
  ['GET', '/readyz'],
  ['GET', '/metrics'],
  ['GET', '/sign-in?token=wrong'],
  ['GET', '/api/me'],
  ['POST', '/api/auth/sign-out'],
  ['POST', '/api/auth/session-token'],
  ['GET', '/api/auth/get-session'],
  ['POST', '/api/auth/sign-up/email'],
  ['GET', '/api/keys'],
  ['POST', '/api/keys'],
  ['DELETE', '/api/keys/0192a7c0-0000-7000-8000-000000000001'],
  ['GET', '/api/devices'],
  ['GET', '/api/auth/ways'],
  ['POST', '/api/auth/sign-in'],
  ['POST', '/api/auth/second-step'],
  ['POST', '/api/auth/invitation'],
  ['POST', '/api/auth/join'],
  ['POST', '/api/auth/provider'],
  ['GET', '/api/auth/provider/return?code=x&state=y'],
  ['GET', '/api/account'],
  ['POST', '/api/account'],
  ['POST', '/api/account/password'],
  ['DELETE', '/api/account/provider'],
  ['GET', '/api/account/second-factor'],
  ['POST', '/api/account/second-factor'],
  ['POST', '/api/account/second-factor/confirm'],
  ['POST', '/api/account/second-factor/recovery-codes'],
  ['POST', '/api/account/second-factor/off'],
  ['DELETE', '/api/people/0192a7c0-0000-7000-8000-000000000001/second-factor'],
  ['POST', '/api/second-factor/reset'],
  ['GET', '/api/people'],
  ['POST', '/api/people/0192a7c0-0000-7000-8000-000000000001'],
  ['POST', '/api/people/0192a7c0-0000-7000-8000-000000000001/sign-in-link'],
  ['GET', '/api/invitations'],
  ['POST', '/api/invitations'],
  ['DELETE', '/api/invitations/0192a7c0-0000-7000-8000-000000000001'],
  ['GET', '/api/audit'],
  ['GET', '/api/providers'],
  ['POST', '/api/providers/openai'],
  ['DELETE', '/api/providers/openai'],
  ['GET', '/api/secrets'],
  ['POST', '/api/pair'],
  ['POST', '/api/pair/key'],
  ['GET', '/api/pair/BCDF-GHJK'],
  ['POST', '/api/pair/BCDF-GHJK'],
  ['DELETE', '/api/devices/0192a7c0-0000-7000-8000-000000000001'],
  ['POST', '/api/devices/sign-out-others'],
  ['POST', '/api/sign-in-links'],
  ['GET', '/'],
  ['GET', '/sessions/1'],
  ['GET', '/assets/app-1a2b3c.js'],
  ['GET', '/nothing.txt'],
  ['PUT', '/'],
  ['OPTIONS', '/api/keys'],
];

const OWNER_KEY = 'owner-key-owner-key-owner-key-owner-key';
const CONTROL_KEY = 'control-key-control-key-control-key-control';

let rig: HttpRig;
before(async () => {
  rig = await httpRig({ ownerKey: OWNER_KEY, controlKey: CONTROL_KEY, publicUrl: 'https://tendon.example' });
});
after(() => rig[Symbol.asyncDispose]());

const bearer = { Authorization: `Bearer ${OWNER_KEY}` };
const text = (answer: Answer) => answer.body.toString('utf8');
const json = (answer: Answer) => JSON.parse(text(answer)) as Record<string, unknown>;

async function signIn(): Promise<string> {
  const link = new URL(await rig.auth.auth.signInLink());
  const answer = await rig.ask('GET', `${link.pathname}${link.search}`);
  assert.equal(answer.status, 303);
  return cookiePair(String(answer.headers['set-cookie']?.[0]));
}

function rawRequest(row: (typeof DOOR_TABLE)[number], head: string, extra: readonly string[] = []): string {
  const pairs = doorHeaders(row, rig.port);
  const lines: string[] = [];
  for (let index = 0; index < pairs.length; index += 2) lines.push(`${pairs[index]}: ${pairs[index + 1]}`);
  return [head, ...lines, ...extra, 'Connection: close', 'Content-Length: 0', '', ''].join('\r\n');
}

for (const row of DOOR_TABLE) {
  test(`H1: over raw sockets, ${row.title}: ${row.fault === undefined ? 'in on every route' : 'refused on every route'}`, async () => {
    if (row.origin === 'https://friend.example') return;
    for (const [method, path] of ROUTES) {
      const answer = await rig.raw(rawRequest(row, `${method} ${path} HTTP/1.1`));
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
      const isRefused = [400, 403, 421].includes(status) && !answer.includes('{"error"') && !answer.includes('text/html');
      assert.equal(isRefused, row.fault !== undefined, `${method} ${path}: ${answer.slice(0, 200)}`);
      if (isRefused) assert.doesNotMatch(answer, /set-cookie/i);
    }
  });

  test(`H1: an upgrade, ${row.title}: ${row.fault === undefined ? 'passed on' : 'refused'}`, async () => {
    if (row.fault === undefined) return;
    const upgrade = ['Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
    const answer = await rig.raw(
      rawRequest(row, 'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1', upgrade).replace('Connection: close', 'Connection: Upgrade'),
    );
    assert.match(answer, /^HTTP\/1\.1 (?:400|403|421) /);
  });
}

test('H1: an upgrade to another path ends with 404, to one that is nearly ours too', async () => {
  for (const path of ['/other', '/socket.io', '/socket.io?EIO=4&transport=websocket']) {
    const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${rig.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`;
    assert.match(await within(`an answer to ${path}`, rig.raw(head)), /^HTTP\/1\.1 404 /, path);
  }
});

test('H3: every answer carries the security headers, refusals included', async () => {
  const hosts: Record<string, string>[] = [{}, { Host: 'evil.com' }, { Origin: 'https://evil.com' }];
  for (const headers of hosts) {
    for (const [method, path] of ROUTES) {
      const answer = await rig.ask(method, path, headers);
      const policy = String(answer.headers['content-security-policy']);
      for (const part of [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
      ])
        assert.ok(policy.includes(part), `${method} ${path}: ${policy}`);
      assert.ok(!policy.includes("script-src 'self' 'unsafe"));
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      assert.equal(answer.headers['referrer-policy'], 'no-referrer');
      assert.equal(answer.headers['cross-origin-opener-policy'], 'same-origin');
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
      assert.equal(answer.headers['strict-transport-security'], undefined, 'it is asked for by http');
    }
  }
});

test('H4: a link signs in, once; then a plain page says how to get a new one', async () => {
  const link = new URL(await rig.auth.auth.signInLink());
  const first = await rig.ask('GET', `${link.pathname}${link.search}`);
  assert.equal(first.status, 303);
  assert.equal(first.headers.location, '/');
  assert.equal(first.headers['cache-control'], 'no-store');
  const headers = { Cookie: cookiePair(String(first.headers['set-cookie']?.[0])), 'Sec-Fetch-Site': 'same-origin' };
  const me = json(await rig.ask('GET', '/api/me', headers));
  assert.deepEqual(me, { user: { id: rig.auth.auth.ownerId, name: 'Owner', role: 'owner' }, via: 'cookie' });
  const second = await rig.ask('GET', `${link.pathname}${link.search}`);
  assert.equal(second.status, 401);
  assert.equal(second.headers['set-cookie'], undefined);
  assert.match(text(second), /tendon start/);
  assert.equal((await rig.ask('GET', '/sign-in')).status, 401);
});

test('H6: every route that the code declares stands in the table of these tests', async () => {
  const missing = (await declaredRoutes()).filter((route) => {
    const pattern = new RegExp(`^${route.replace(/:\w+/g, '[^/]+')}(\\?|$)`);
    return !ROUTES.some((row) => pattern.test(row.join(' ')));
  });
  assert.deepEqual(missing, []);
});

test('H5: looking ahead does not use a link up', async () => {
  const link = new URL(await rig.auth.auth.signInLink());
  const path = `${link.pathname}${link.search}`;
  for (const [method, headers] of [
    ['HEAD', {}],
    ['GET', { 'Sec-Purpose': 'prefetch;prerender' }],
    ['GET', { Purpose: 'prefetch' }],
  ] as const) {
    const answer = await rig.ask(method, path, headers);
    assert.equal(answer.status, 204);
    assert.equal(answer.headers['set-cookie'], undefined);
  }
  assert.equal((await rig.ask('GET', path)).status, 303);
});

// Most of these are refused for what they do not say: how each route answers with success is in no-credential-shown.test.ts.
test('H6, I15: no answer of any route contains the cookie or the key, in any encoding', async () => {
  const cookie = await signIn();
  const value = decodeURIComponent(cookie.slice(cookie.indexOf('=') + 1));
  const secrets = [value, String(value.split('.')[0]), OWNER_KEY, CONTROL_KEY];
  const forms = secrets.flatMap(spellings);
  const carriers: Record<string, string>[] = [
    { Cookie: cookie, 'Sec-Fetch-Site': 'same-origin' },
    { Cookie: cookie, Origin: rig.origin },
    bearer,
    { Authorization: `Bearer ${CONTROL_KEY}` },
  ];
  for (const headers of carriers) {
    for (const [method, path] of ROUTES.filter(([, path]) => path !== '/api/auth/sign-out')) {
      const { 'set-cookie': _set, ...shown } = (await rig.ask(method, path, headers)).headers;
      const answer = `${JSON.stringify(shown)}\n${text(await rig.ask(method, path, headers))}`;
      for (const form of forms) assert.ok(!answer.includes(form), `${method} ${path} shows ${form}`);
    }
  }
  for (const form of forms) assert.ok(!rig.auth.rawLines.join('').includes(form), 'the log shows a credential');
});

test('H7: keys are made, listed and revoked over HTTP; the key is shown once', async () => {
  const made = await rig.post('/api/keys', { ...bearer, 'Content-Type': 'application/json' }, JSON.stringify({ name: 'script' }));
  assert.equal(made.status, 201);
  assert.equal(made.headers['cache-control'], 'no-store');
  const { key, id } = json(made) as { key: string; id: string };
  assert.equal((await rig.ask('GET', '/api/me', { Authorization: `Bearer ${key}` })).status, 200);
  const listed = text(await rig.ask('GET', '/api/keys', bearer));
  assert.ok(listed.includes(id) && !listed.includes(key));
  assert.equal((await rig.ask('DELETE', `/api/keys/${id}`, bearer)).status, 200);
  assert.equal((await rig.ask('DELETE', `/api/keys/${id}`, bearer)).status, 404);
  assert.equal((await rig.ask('GET', '/api/me', { Authorization: `Bearer ${key}` })).status, 401);
});

test('H7: a wrong request for a key names what is wrong', async () => {
  for (const body of [
    '',
    '{',
    '[]',
    '{}',
    '{"name":""}',
    '{"name":"x","gatewayId":"1"}',
    '{"name":"x","expiresInDays":0}',
    '{"name":"a\\u0000b"}',
    '{"name":"\\u001b[2Jx"}',
    '{"name":"\\u202ex"}',
    `{"name":"${'x'.repeat(101)}"}`,
  ]) {
    const answer = await rig.post('/api/keys', bearer, body);
    assert.equal(answer.status, 400, body);
    assert.equal((json(answer)['error'] as { code: string }).code, 'invalid_payload');
  }
});

test("H8: a gateway's key opens no route", async () => {
  const { key } = await rig.auth.auth.createKey({ userId: rig.auth.auth.ownerId, name: 'm', gatewayId: '0192a7c0-0000-7000-8000-000000000001' });
  for (const path of ['/api/me', '/api/keys']) assert.equal((await rig.ask('GET', path, { Authorization: `Bearer ${key}` })).status, 401);
});

test('H10: changing something with the cookie needs a page of ours', async () => {
  const cookie = await signIn();
  const rows: [Record<string, string>, number][] = [
    [{ Cookie: cookie }, 403],
    [{ Cookie: cookie, 'Sec-Fetch-Site': 'none' }, 403],
    [{ Cookie: cookie, Origin: rig.origin }, 201],
    [{ Cookie: cookie, 'Sec-Fetch-Site': 'same-origin' }, 201],
  ];
  for (const [headers, status] of rows) assert.equal((await rig.post('/api/keys', headers, '{"name":"x"}')).status, status, JSON.stringify(headers));
  assert.equal((await rig.ask('POST', '/api/auth/sign-out', { Cookie: cookie })).status, 403);
  assert.equal((await rig.ask('GET', '/api/me', { Cookie: cookie, Origin: rig.origin })).status, 200);
  const out = await rig.ask('POST', '/api/auth/sign-out', { Cookie: cookie, Origin: rig.origin });
  assert.equal(out.status, 200);
  assert.match(String(out.headers['set-cookie']), /Max-Age=0/i);
  assert.equal((await rig.ask('GET', '/api/me', { Cookie: cookie, Origin: rig.origin })).status, 401);
});

test('H4: only the process that runs the server may ask for links over HTTP', async () => {
  assert.equal((await rig.ask('POST', '/api/sign-in-links', bearer)).status, 404);
  assert.equal((await rig.ask('POST', '/api/sign-in-links')).status, 401);
  const made = await rig.ask('POST', '/api/sign-in-links', { Authorization: `Bearer ${CONTROL_KEY}` });
  assert.equal(made.status, 201);
  assert.match(String(json(made)['url']), /^https:\/\/tendon\.example\/sign-in\?token=/);
});

test('H12: wrong keys over HTTP get 429 with Retry-After', async () => {
  await using other = await httpRig();
  const answers = await Promise.all(Array.from({ length: 310 }, (_, index) => other.ask('GET', '/api/me', { Authorization: `Bearer wrong-${index}` })));
  assert.equal(answers.filter((answer) => answer.status === 401).length, 300);
  const limited = answers.filter((answer) => answer.status === 429);
  assert.equal(limited.length, 10);
  assert.match(String(limited[0]?.headers['retry-after']), /^[1-3]$/);
});

test('H16: unknown and closed API routes are 404, also signed in', async () => {
  const cookie = await signIn();
  for (const path of [
    '/api/auth/session-token',
    '/api/auth/get-session',
    '/api/auth/sign-up/email',
    '/api/auth/sign-in/email',
    '/api/auth/list-sessions',
    '/api/auth/openBrowserSession',
    '/api/nothing',
  ]) {
    for (const method of ['GET', 'POST']) {
      const answer = await rig.ask(method, path, { Cookie: cookie, Origin: rig.origin });
      assert.equal(answer.status, 404, `${method} ${path}`);
      assert.equal((json(answer)['error'] as { code: string }).code, 'not_found');
    }
  }
});

test('H16: TRACE shows nothing of what was sent, anywhere', async () => {
  for (const path of ['/', '/api/me', '/healthz', '/metrics', '/assets/app-1a2b3c.js']) {
    const answer = await rig.ask('TRACE', path, { 'X-Canary': 'a-canary-of-the-request' });
    assert.ok(answer.status === 404 || answer.status === 405, `${path}: ${answer.status}`);
    assert.ok(!JSON.stringify([answer.headers, answer.body.toString('latin1')]).includes('a-canary-of-the-request'), path);
  }
});

test('H16: of a parameter that stands in an address twice the first counts', async () => {
  const link = new URL(await rig.auth.auth.signInLink());
  const token = link.searchParams.get('token') ?? '';
  assert.equal((await rig.ask('GET', `/sign-in?token=wrong&token=${token}`)).status, 401);
  assert.equal((await rig.ask('GET', `/sign-in?token=${token}&token=wrong`)).status, 303);
});

test('H16: a body over the limit is 413, a broken request 400, a fault shows nothing from within', async () => {
  const large = JSON.stringify({ name: 'x'.repeat(2_000_000) });
  assert.equal((await rig.post('/api/keys', { ...bearer, 'Content-Length': String(large.length) }, large)).status, 413);
  assert.equal((await rig.post('/api/keys', { ...bearer, 'Transfer-Encoding': 'chunked' }, large)).status, 413);
  assert.equal((await rig.post('/api/keys', { ...bearer, 'Transfer-Encoding': 'chunked' }, '{"name":"x"}')).status, 201);
  assert.match(await rig.raw('NONSENSE\r\n\r\n'), /^HTTP\/1\.1 400 /);
  await using broken = await httpRig({ ownerKey: OWNER_KEY });
  await broken.auth.database.pool.query('alter table accounts rename to accounts_gone');
  const answer = await broken.ask('GET', '/api/me', bearer);
  assert.equal(answer.status, 500);
  assert.doesNotMatch(text(answer), /accounts|relation|at .*\.ts|select/);
});

test('H16: headers that do not arrive in time end the connection', async () => {
  // Node itself would wait for a minute.
  const ended = within('the connection to end', rig.raw(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${rig.port}\r\nX-Slow: `), 40_000);
  assert.match(await ended, /^(?:HTTP\/1\.1 (?:408|400) |$)/);
});

test('H17: the page, its assets and its paths', async () => {
  const index = await rig.ask('GET', '/');
  assert.equal(text(index), PAGE);
  assert.equal(index.headers['cache-control'], 'no-cache');
  const same = await rig.ask('GET', '/', { 'If-None-Match': String(index.headers.etag) });
  assert.equal(same.status, 304);
  assert.equal(same.body.length, 0);
  assert.equal(text(await rig.ask('GET', '/sessions/0192a7c0')), PAGE);
  const plain = await rig.ask('GET', '/assets/app-1a2b3c.js');
  assert.equal(text(plain), SCRIPT);
  assert.equal(plain.headers['cache-control'], 'public, max-age=31536000, immutable');
  assert.match(String(plain.headers['content-type']), /^text\/javascript/);
  const brotli = await rig.ask('GET', '/assets/app-1a2b3c.js', { 'Accept-Encoding': 'gzip, br' });
  assert.equal(brotliDecompressSync(brotli.body).toString(), SCRIPT);
  const gzip = await rig.ask('GET', '/assets/app-1a2b3c.js', { 'Accept-Encoding': 'gzip, br;q=0' });
  assert.equal(gunzipSync(gzip.body).toString(), SCRIPT);
  assert.notEqual(gzip.headers.etag, brotli.headers.etag);
  const head = await rig.ask('HEAD', '/assets/app-1a2b3c.js');
  assert.deepEqual([head.status, head.body.length], [200, 0]);
  assert.equal((await rig.ask('GET', '/icon.png')).headers['content-type'], 'image/png');
});

test('H17: a missing asset is 404, and nothing outside the folder is reachable', async () => {
  for (const path of ['/assets/gone.js', '/assets/', '/favicon.ico']) assert.equal((await rig.ask('GET', path)).status, 404, path);
  for (const path of [
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/%00',
    '/..\\secret.txt',
    '//etc/passwd',
    '/%',
    '/assets/%ff',
  ]) {
    const answer = await rig.raw(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${rig.port}\r\nConnection: close\r\n\r\n`);
    assert.doesNotMatch(answer, /outside|root:/, path);
    assert.doesNotMatch(answer, /^HTTP\/1\.1 5/, path);
  }
});

test('H17: a new build is seen at once, and no build says so', async () => {
  await using other = await httpRig();
  assert.equal(text(await other.ask('GET', '/')), PAGE);
  await rm(join(other.webRoot, 'index.html'));
  const missing = await other.ask('GET', '/');
  assert.equal(missing.status, 503);
  assert.match(text(missing), /npm run build/);
  await writeFile(join(other.webRoot, 'index.html'), '<p>new</p>');
  assert.equal(text(await other.ask('GET', '/')), '<p>new</p>');
});

test('H18: health, readiness and metrics', async () => {
  assert.deepEqual(json(await rig.ask('GET', '/healthz')), { ok: true });
  assert.equal((await rig.ask('GET', '/readyz')).status, 200);
  rig.readiness.ok = false;
  const unready = await rig.ask('GET', '/readyz');
  rig.readiness.ok = true;
  assert.equal(unready.status, 503);
  assert.deepEqual(json(unready), { ok: false, checks: { database: 'cannot be reached' } });
  const metrics = await rig.ask('GET', '/metrics');
  assert.match(text(metrics), /tendon_test 7/);
  assert.match(text(metrics), /process_resident_memory_bytes/);
  assert.equal((await rig.ask('GET', '/metrics', { 'X-Forwarded-For': '1.2.3.4' })).status, 401);
  assert.equal((await rig.ask('GET', '/metrics', { 'X-Forwarded-For': '1.2.3.4', ...bearer })).status, 200);
});

test('H18: a proxy on this machine that writes no header of its own does not open the metrics to everybody', async () => {
  await using proxied = await httpRig({ publicUrl: 'https://tendon.example' });
  const status = async (host: string) => (await proxied.ask('GET', '/metrics', { Host: host })).status;
  assert.equal(await status('tendon.example'), 401);
  for (const name of ['127.0.0.1', 'localhost', '[::1]']) assert.equal(await status(`${name}:${proxied.port}`), 200);
});
