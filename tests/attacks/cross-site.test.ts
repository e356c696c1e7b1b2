import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, describe, test } from 'node:test';
import { nodeRig } from '@tendon/testing';

/*
 * Another site's page makes the browser of a signed-in person send requests that change something. The cookie travels by itself, so
 * nothing but the page that made the request may decide. Every request here carries a live cookie.
 */

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());
const own = rig.url;

interface Answer {
  readonly status: number;
  readonly setCookies: readonly string[];
  readonly text: string;
  readonly allowsOrigin: string | undefined;
}

function send(method: string, path: string, { headers, body }: { headers: Record<string, string>; body?: string }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${own}${path}`, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          setCookies: response.headers['set-cookie'] ?? [],
          text: Buffer.concat(chunks).toString(),
          allowsOrigin: response.headers['access-control-allow-origin'],
        }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function signIn(): Promise<string> {
  const link = new URL(await rig.server.signInLink());
  const { setCookies } = await send('GET', `${link.pathname}${link.search}`, { headers: {} });
  return String(setCookies[0]?.split(';')[0]);
}

const cookie = await signIn();

const SITES = [undefined, 'none', 'same-origin', 'same-site', 'cross-site', 'whatever'] as const;
const ORIGINS = [undefined, own, 'null', 'https://evil.example', 'http://localhost:1337', `${own}.evil.example`] as const;
const TYPES = ['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'] as const;

/** The one class that passes: a page of ours made the request, by what browsers alone can say. */
function isOwnPage(origin: string | undefined, site: string | undefined): boolean {
  return origin === own || (origin === undefined && site === 'same-origin');
}

async function keyCount(): Promise<number> {
  const [row] = await rig.sql<{ count: string }>('select count(*) from api_keys');
  return Number(row?.count);
}

for (const site of SITES) {
  for (const origin of ORIGINS) {
    const passes = isOwnPage(origin, site);
    const who = `Origin ${origin?.replace(own, 'own') ?? 'absent'}, Sec-Fetch-Site ${site ?? 'absent'}`;
    const headers = { Cookie: cookie, ...(origin === undefined ? {} : { Origin: origin }), ...(site === undefined ? {} : { 'Sec-Fetch-Site': site }) };
    describe(who, () => {
      for (const type of TYPES) {
        test(`H10: a key asked for as ${type} is ${passes ? 'made' : 'not made'}`, async () => {
          const before = await keyCount();
          const answer = await send('POST', '/api/keys', { headers: { ...headers, 'Content-Type': type }, body: '{"name":"csrf"}' });
          assert.equal(answer.status === 201, passes, `${answer.status} ${answer.text}`);
          assert.equal((await keyCount()) - before, passes ? 1 : 0);
          assert.deepEqual(passes ? [] : answer.setCookies, []);
        });
      }

      test(`H10: nothing is told, and a sign-out ${passes ? 'signs out' : 'does nothing'}`, async () => {
        const me = await send('GET', '/api/me', { headers });
        assert.equal(me.status === 200, passes, me.text);
        const mine = await signIn();
        const out = await send('POST', '/api/auth/sign-out', { headers: { ...headers, Cookie: mine } });
        assert.equal(out.status === 200, passes, out.text);
        const after = await send('GET', '/api/me', { headers: { Cookie: mine, 'Sec-Fetch-Site': 'same-origin' } });
        assert.equal(after.status === 401, passes);
      });
    });
  }
}

test('H10: no answer allows another site to send the header that our page sends', async () => {
  const headers = { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'x-requested-with' };
  for (const path of ['/api/me', '/api/devices', '/api/keys']) {
    const answer = await send('OPTIONS', path, { headers });
    assert.equal(answer.status, 403);
    assert.equal(answer.allowsOrigin, undefined);
  }
});

for (const method of ['PUT', 'PATCH', 'GET', 'HEAD', 'OPTIONS']) {
  for (const path of ['/api/keys', '/api/auth/sign-out', '/api/auth/session-token']) {
    test(`H10: ${method} ${path} changes nothing and allows no other origin`, async () => {
      const before = await keyCount();
      const answer = await send(method, path, { headers: { Cookie: cookie, 'Sec-Fetch-Site': 'same-origin', 'Access-Control-Request-Method': 'POST' } });
      assert.equal(await keyCount(), before);
      assert.ok(!/access-control-allow/i.test(answer.text));
      assert.equal((await send('GET', '/api/me', { headers: { Cookie: cookie, 'Sec-Fetch-Site': 'same-origin' } })).status, 200);
    });
  }
}
