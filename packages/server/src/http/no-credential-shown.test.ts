import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { declaredRoutes, identityProviderRig } from '@tendon/testing';
import { cookiePair } from '../auth/auth-rig.ts';
import { type Answer, spellings } from './http-rig.ts';
import { type Browser, invite, json, PASSWORD, peopleRig, signIn } from './people-rig.ts';
import { FACTOR, halfIn, setUp } from './second-factor-rig.ts';

/*
 * Every route answers with success here, to somebody with a cookie where there is a person, and every answer on the way there is searched for
 * every credential that was given out or carried until then: in the clear, for addresses, as base64, base64url and hex, and as its hash (SHA-256).
 * Only the answer that makes a credential may show it, and a cookie stands in `Set-Cookie` alone. What is refused is in create-http.test.ts.
 */

const OWNER_KEY = 'owner-key-owner-key-owner-key-owner-key';
const CONTROL_KEY = 'control-key-control-key-control-key-control';
const PROVIDER_KEY = 'a-key-of-a-provider-0123456789';
const DESKTOP = 'Mozilla/5.0 (X11; Linux x86_64) TendonDesktop/0.1.0';

const provider = await identityProviderRig();
after(() => provider[Symbol.asyncDispose]());
const rig = await peopleRig({ ownerKey: OWNER_KEY, controlKey: CONTROL_KEY, desktop: true, oidc: provider.config });
after(() => rig[Symbol.asyncDispose]());
provider.serve(rig.origin);
const { owner } = rig;

interface Heard {
  readonly request: string;
  readonly answer: Answer;
}

/** Every answer, and each credential with the answer that made it, if an answer did. */
const heard: Heard[] = [];
const credentials = new Map<string, Answer | undefined>();
for (const secret of [OWNER_KEY, CONTROL_KEY, PROVIDER_KEY, PASSWORD]) credentials.set(secret, undefined);

/** What a carrier holds, and the part of a signed cookie that the database looks up. */
function keepCookie(pair: string): void {
  const value = decodeURIComponent(pair.slice(pair.indexOf('=') + 1));
  if (value === '') return;
  for (const secret of [value, String(value.split('.')[0])]) if (!credentials.has(secret)) credentials.set(secret, undefined);
}

const MADE_IN_BODY = ['key', 'relayKey', 'token', 'deviceCode', 'secret', 'recoveryCodes', 'url'] as const;

function keepMade(answer: Answer): void {
  if (!String(answer.headers['content-type']).startsWith('application/json')) return;
  const body = json(answer) as Record<string, unknown>;
  for (const value of MADE_IN_BODY.flatMap((name) => body[name] ?? [])) {
    const secret = URL.canParse(String(value)) ? new URL(String(value)).hash.slice(1) || new URL(String(value)).searchParams.get('token') : String(value);
    if (secret) credentials.set(secret, answer);
  }
}

function watch(request: string, sent: Readonly<Record<string, string>>, answer: Answer): Answer {
  heard.push({ request, answer });
  for (const pair of (sent['Cookie'] ?? '').split('; ')) if (pair !== '') keepCookie(pair);
  for (const line of answer.headers['set-cookie'] ?? []) keepCookie(cookiePair(line));
  keepMade(answer);
  return answer;
}

const { ask, post } = rig;
rig.ask = async (method, path, headers = {}) => watch(`${method} ${path}`, headers, await ask(method, path, headers));
rig.post = async (path, headers, body) => watch(`POST ${path}`, headers, await post(path, headers, body));

let people = 0;
const newMember = () => {
  people += 1;
  return rig.member(`Person${people}`);
};
const control = { Authorization: `Bearer ${CONTROL_KEY}` };
const signInPath = async () => {
  const link = new URL(await rig.auth.auth.signInLink());
  credentials.set(link.searchParams.get('token') ?? '', undefined);
  return `${link.pathname}${link.search}`;
};
const idOf = (answer: Answer) => (json(answer) as unknown as { id: string }).id;
const startPairing = async () => {
  const answer = await rig.post('/api/pair', {}, JSON.stringify({ gatewayId: randomUUID(), name: 'a machine', relay: true }));
  return { answer, ...(json(answer) as unknown as { userCode: string; deviceCode: string }) };
};
/** A member with a second factor, and what proves that it is them. */
const withFactor = async () => {
  const person = await newMember();
  const { app } = await setUp(rig, person);
  return { person, app, proof: async () => ({ password: PASSWORD, code: await app.shows() }) };
};
/** Sets out for the provider and comes back with what the browser carries for that. */
async function through(browser: Browser, errand: object): Promise<{ departed: Answer; returned: Answer }> {
  const departed = await browser.post('/api/auth/provider', errand);
  const luggage = cookiePair(String(departed.headers['set-cookie']?.[0]));
  people += 1;
  const back = await provider.walk((json(departed) as unknown as { url: string }).url, `subject${people}`);
  credentials.set(back.searchParams.get('code') ?? '', undefined);
  const visit = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
  return { departed, returned: await rig.ask('GET', `${back.pathname}${back.search}`, { ...visit, Cookie: luggage }) };
}

/** How each route comes to answer with success. */
const ROWS: Readonly<Record<string, () => Promise<Answer>>> = {
  'GET /healthz': () => rig.ask('GET', '/healthz'),
  'GET /readyz': () => rig.ask('GET', '/readyz'),
  'GET /metrics': () => owner.get('/metrics'),
  'GET /sign-in': async () => rig.ask('GET', await signInPath()),
  'GET /api/me': () => owner.get('/api/me'),

  'POST /api/auth/sign-in': async () => signIn(rig.stranger(), (await newMember()).email),
  'POST /api/auth/second-step': async () => {
    const { person, app } = await withFactor();
    return (await halfIn(rig, person)).post('/api/auth/second-step', { code: await app.shows() });
  },
  'POST /api/auth/sign-out': async () => (await newMember()).post('/api/auth/sign-out'),
  'POST /api/auth/session-token': async () => {
    const csrf = cookiePair(String((await owner.get('/api/me')).headers['set-cookie']?.find((line) => line.includes('.csrf='))));
    const headers = { 'User-Agent': DESKTOP, 'Content-Type': 'application/json', 'X-Requested-With': 'tendon', Origin: rig.origin };
    const page = { ...headers, 'X-CSRF-Token': csrf.slice(csrf.indexOf('=') + 1), Cookie: `${owner.cookie}; ${csrf}` };
    return rig.post('/api/auth/session-token', page, '{}');
  },
  'GET /api/auth/ways': () => owner.get('/api/auth/ways'),
  'POST /api/auth/invitation': async () => rig.stranger().post('/api/auth/invitation', { token: await invite(owner, 'Guest') }),
  'POST /api/auth/join': async () => {
    const token = await invite(owner, 'Guest');
    return rig.stranger().post('/api/auth/join', { token, name: 'Guest', email: 'guest@example.org', password: PASSWORD });
  },
  'POST /api/auth/provider': async () => (await through(await newMember(), { errand: 'connect' })).departed,
  'GET /api/auth/provider/return': async () => (await through(rig.stranger(), { errand: 'join', token: await invite(owner, 'Guest') })).returned,

  'GET /api/account': () => owner.get('/api/account'),
  'POST /api/account': async () => (await newMember()).post('/api/account', { name: 'Another name', email: 'another@example.org' }),
  'POST /api/account/password': async () => (await newMember()).post('/api/account/password', { current: PASSWORD, password: `${PASSWORD} and more` }),
  'DELETE /api/account/provider': async () => {
    const person = await newMember();
    assert.equal((await through(person, { errand: 'connect' })).returned.status, 200);
    return person.delete('/api/account/provider');
  },
  'GET /api/account/second-factor': async () => (await withFactor()).person.get(FACTOR),
  'POST /api/account/second-factor': async () => (await newMember()).post(FACTOR, { password: PASSWORD }),
  'POST /api/account/second-factor/confirm': async () => {
    await withFactor();
    return heard.findLast(({ request }) => request === `POST ${FACTOR}/confirm`)?.answer ?? assert.fail();
  },
  'POST /api/account/second-factor/recovery-codes': async () => {
    const { person, proof } = await withFactor();
    return person.post(`${FACTOR}/recovery-codes`, await proof());
  },
  'POST /api/account/second-factor/off': async () => {
    const { person, proof } = await withFactor();
    return person.post(`${FACTOR}/off`, await proof());
  },
  'POST /api/second-factor/reset': () => rig.post('/api/second-factor/reset', control, ''),

  'GET /api/people': () => owner.get('/api/people'),
  'POST /api/people/:id': async () => owner.post(`/api/people/${(await newMember()).id}`, { role: 'owner' }),
  'POST /api/people/:id/sign-in-link': async () => owner.post(`/api/people/${(await newMember()).id}/sign-in-link`),
  'DELETE /api/people/:id/second-factor': async () => owner.delete(`/api/people/${(await withFactor()).person.id}/second-factor`),
  'GET /api/invitations': async () => {
    await invite(owner, 'Guest');
    return owner.get('/api/invitations');
  },
  'POST /api/invitations': () => owner.post('/api/invitations', { name: 'Guest', role: 'member' }),
  'DELETE /api/invitations/:id': async () => owner.delete(`/api/invitations/${idOf(await owner.post('/api/invitations', { name: 'Guest', role: 'member' }))}`),
  'GET /api/audit': () => owner.get('/api/audit?of=all'),

  'GET /api/providers': () => owner.get('/api/providers'),
  'POST /api/providers/:provider': () => owner.post('/api/providers/openai', { key: PROVIDER_KEY }),
  'DELETE /api/providers/:provider': async () => {
    assert.equal((await owner.post('/api/providers/google', { key: PROVIDER_KEY })).status, 200);
    return owner.delete('/api/providers/google');
  },
  'GET /api/secrets': () => owner.get('/api/secrets'),

  'GET /api/keys': () => owner.get('/api/keys'),
  'POST /api/keys': () => owner.post('/api/keys', { name: 'script', scopes: ['read'], expiresInDays: 1 }),
  'DELETE /api/keys/:id': async () => owner.delete(`/api/keys/${idOf(await owner.post('/api/keys', { name: 'script' }))}`),

  'GET /api/devices': () => owner.get('/api/devices'),
  'DELETE /api/devices/:id': async () => {
    const person = await newMember();
    await signIn(rig.stranger(), person.email);
    const { devices } = json(await person.get('/api/devices')) as unknown as { devices: { id: string; isCurrent: boolean }[] };
    return person.delete(`/api/devices/${devices.find(({ isCurrent }) => !isCurrent)?.id}`);
  },
  'POST /api/devices/sign-out-others': async () => (await newMember()).post('/api/devices/sign-out-others'),

  'POST /api/pair': async () => (await startPairing()).answer,
  'GET /api/pair/:code': async () => owner.get(`/api/pair/${(await startPairing()).userCode}`),
  'POST /api/pair/:code': async () => owner.post(`/api/pair/${(await startPairing()).userCode}`, { decision: 'approve' }),
  'POST /api/pair/key': async () => {
    const { userCode, deviceCode } = await startPairing();
    await owner.post(`/api/pair/${userCode}`, { decision: 'approve' });
    return rig.post('/api/pair/key', {}, JSON.stringify({ deviceCode }));
  },
  'POST /api/sign-in-links': () => rig.post('/api/sign-in-links', control, ''),
};

describe('H6, I15: no answer shows a credential', () => {
  test('H6: every route that the code declares has a row with which it succeeds', async () => {
    assert.deepEqual(Object.keys(ROWS).toSorted(), await declaredRoutes());
  });

  for (const [route, succeed] of Object.entries(ROWS)) {
    test(`H6: ${route} answers with success`, async () => {
      const answer = await succeed();
      assert.ok(answer.status >= 200 && answer.status < 400, `${answer.status}: ${answer.body}`);
      const request = heard.find((one) => one.answer === answer)?.request ?? '';
      assert.match(request, new RegExp(`^${route.replace(/:\w+/g, '[^/]+')}(\\?|$)`));
    });
  }

  test('H6, I15: of all answers on the way none has a cookie, key, token, code or password but the one that makes it, in six spellings', async () => {
    // What lists things has seen less than all of them on its turn.
    for (const route of Object.keys(ROWS)) {
      const [method, path = ''] = route.split(' ');
      if (method === 'GET' && path.startsWith('/api/') && !path.includes(':')) await owner.get(path);
    }
    await owner.get('/api/audit?of=all');
    assert.ok(heard.length > 100 && credentials.size > 150, `${heard.length} answers, ${credentials.size} credentials`);
    const shown: string[] = [];
    for (const { request, answer } of heard) {
      const { 'set-cookie': _set, ...headers } = answer.headers;
      const text = `${JSON.stringify(headers)}\n${answer.body.toString('utf8')}`;
      for (const [secret, maker] of credentials) {
        if (maker === answer) continue;
        for (const [index, spelling] of spellings(secret).entries()) if (text.includes(spelling)) shown.push(`${request}: ${secret} (${index})`);
      }
    }
    assert.deepEqual(shown, []);
  });

  test('H13, I15: nor does the log', () => {
    const log = rig.auth.rawLines.join('');
    assert.deepEqual(
      [...credentials.keys()].filter((secret) => spellings(secret).some((spelling) => log.includes(spelling))),
      [],
    );
  });
});
