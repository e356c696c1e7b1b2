import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { cookiePair } from '../auth/auth-rig.ts';
import { type Answer, type HttpRig, httpRig } from './http-rig.ts';

const INTERVAL_MS = 5_000;
const LIFETIME_MS = 10 * 60_000;

let rig: HttpRig;
before(async () => {
  rig = await httpRig();
});
after(() => rig[Symbol.asyncDispose]());
// Every test has limits that are full again.
beforeEach(() => later(60 * 60_000));

function later(ms: number): void {
  rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + ms);
}

interface Started {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly verificationUrl: string;
  readonly expiresInMs: number;
  readonly intervalMs: number;
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

function json<T>(answer: Answer): T {
  return JSON.parse(answer.body.toString()) as T;
}

async function start(gatewayId: string = randomUUID(), name = 'office'): Promise<Started> {
  const answer = await rig.post('/api/pair', JSON_TYPE, JSON.stringify({ gatewayId, name }));
  assert.equal(answer.status, 201, answer.body.toString());
  return json(answer);
}

const poll = (deviceCode: string) => rig.post('/api/pair/key', JSON_TYPE, JSON.stringify({ deviceCode }));

/** What a machine is told, or the key that it got. */
async function told(deviceCode: string): Promise<string> {
  const answer = json<{ key?: string; error?: { code: string } }>(await poll(deviceCode));
  return answer.key ?? answer.error?.code ?? '';
}

async function person(): Promise<Record<string, string>> {
  const link = new URL(await rig.auth.auth.signInLink());
  const answer = await rig.ask('GET', `${link.pathname}${link.search}`);
  return { Cookie: cookiePair(String(answer.headers['set-cookie']?.[0])), 'Sec-Fetch-Site': 'same-origin' };
}

const decide = (headers: Record<string, string>, code: string, decision: string) =>
  rig.post(`/api/pair/${encodeURIComponent(code)}`, { ...headers, ...JSON_TYPE }, JSON.stringify({ decision }));

test('H25: a machine gets a code for itself and one for its person, and nothing of them is stored in the clear or logged', async () => {
  const started = await start();
  assert.match(started.userCode, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
  assert.match(started.deviceCode, /^[\w-]{43}$/);
  assert.equal(started.verificationUrl, `${rig.origin}/pair?code=${started.userCode}`);
  assert.deepEqual([started.expiresInMs, started.intervalMs], [LIFETIME_MS, INTERVAL_MS]);
  const { rows } = await rig.auth.database.pool.query('select * from pairings');
  for (const text of [JSON.stringify(rows), rig.auth.rawLines.join('')]) assert.ok(!text.includes(started.deviceCode));
});

test('H25: a wrong request names what is wrong', async () => {
  for (const body of [
    '',
    '{}',
    '[]',
    '{"gatewayId":"1","name":"x"}',
    `{"gatewayId":"${randomUUID()}"}`,
    `{"kind":"terminal","name":"x","gatewayId":"${randomUUID()}"}`,
    '{"kind":"terminal","name":"x","relay":true}',
    '{"kind":"owner","name":"x"}',
    '{"name":"x"}',
    `{"gatewayId":"${randomUUID()}","name":"${'x'.repeat(101)}"}`,
  ]) {
    const answer = await rig.post('/api/pair', JSON_TYPE, body);
    assert.deepEqual([answer.status, json<{ error: { code: string } }>(answer).error.code], [400, 'invalid_payload'], body);
  }
  assert.equal((await rig.post('/api/pair', JSON_TYPE, `"${'x'.repeat(20_000)}"`)).status, 413);
});

test('H26, H27: approved, the machine gets a key of its person for itself alone, once', async () => {
  const gatewayId = randomUUID();
  const { deviceCode, userCode } = await start(gatewayId, 'office <b>');
  assert.equal(await told(deviceCode), 'authorization_pending');
  const headers = await person();
  for (const typed of [userCode, userCode.toLowerCase(), userCode.replace('-', ''), ` ${userCode.slice(0, 2)} ${userCode.slice(2)} `]) {
    const answer = await rig.ask('GET', `/api/pair/${encodeURIComponent(typed)}`, headers);
    assert.equal(answer.status, 200, typed);
    const { machine } = json<{ machine: { name: string; address: string } }>(answer);
    assert.deepEqual([machine.name, machine.address], ['office <b>', '127.0.0.1']);
  }
  assert.equal((await decide(headers, userCode, 'approve')).status, 200);
  later(INTERVAL_MS);
  const key = await told(deviceCode);
  assert.match(key, /^tnd_[\w-]{43}$/);
  const decision = await rig.auth.auth.authenticate({ token: key, headers: {}, address: '127.0.0.1', namespace: '/gateway' });
  assert.ok(decision.ok);
  assert.deepEqual([decision.principal.userId, decision.principal.kind, decision.principal.gatewayId], [rig.auth.auth.ownerId, 'gateway', gatewayId]);
  for (const namespace of ['/agent', 'http'] as const)
    assert.equal((await rig.auth.auth.authenticate({ token: key, headers: {}, address: '127.0.0.1', namespace })).ok, false);
  assert.equal(await told(deviceCode), 'expired_token', 'a second time there is no key');
  assert.ok(!rig.auth.rawLines.join('').includes(key));
});

test('H26, H27: a machine that shows the page to a browser on it says so before, and gets a second key that is good for that alone', async () => {
  const gatewayId = randomUUID();
  const started = json<Started>(await rig.post('/api/pair', JSON_TYPE, JSON.stringify({ gatewayId, name: 'office', relay: true })));
  const headers = await person();
  const look = json<{ machine: { relay: boolean } }>(await rig.ask('GET', `/api/pair/${started.userCode}`, headers));
  assert.equal(look.machine.relay, true);
  assert.equal((await decide(headers, started.userCode, 'approve')).status, 200);
  const { key, relayKey } = json<{ key: string; relayKey: string }>(await poll(started.deviceCode));
  assert.notEqual(key, relayKey);
  const decisionFor = (token: string, namespace: '/agent' | '/gateway' | 'http') =>
    rig.auth.auth.authenticate({ token, headers: {}, address: '127.0.0.1', namespace });
  const page = await decisionFor(relayKey, '/agent');
  assert.ok(page.ok);
  assert.deepEqual([page.principal.userId, page.principal.scopes], [rig.auth.auth.ownerId, ['read', 'write', 'approve']]);
  assert.equal((await decisionFor(relayKey, '/gateway')).ok, false);
  assert.equal((await decisionFor(key, '/gateway')).ok, true);
  assert.equal((await decisionFor(key, '/agent')).ok, false);
  assert.equal((await rig.ask('GET', '/api/keys', { Authorization: `Bearer ${relayKey}` })).status, 403, 'it looks after no keys');
  const without = await start();
  assert.equal(json<{ machine: { relay: boolean } }>(await rig.ask('GET', `/api/pair/${without.userCode}`, headers)).machine.relay, false);
  await decide(headers, without.userCode, 'approve');
  assert.deepEqual(Object.keys(json<object>(await poll(without.deviceCode))), ['key']);
});

test('H26, H35: a terminal says that it is one, and gets a key for what its person does with sessions alone; audit log and list of keys say so', async () => {
  const name = 'x'.repeat(100);
  const started = json<Started>(await rig.post('/api/pair', JSON_TYPE, JSON.stringify({ kind: 'terminal', name })));
  const headers = await person();
  const { machine } = json<{ machine: { kind: string; relay: boolean } }>(await rig.ask('GET', `/api/pair/${started.userCode}`, headers));
  assert.deepEqual([machine.kind, machine.relay], ['terminal', false]);
  assert.equal((await decide(headers, started.userCode, 'approve')).status, 200);
  const answer = json<{ key: string }>(await poll(started.deviceCode));
  assert.deepEqual(Object.keys(answer), ['key']);
  const decisionFor = (namespace: '/agent' | '/gateway' | 'http') =>
    rig.auth.auth.authenticate({ token: answer.key, headers: {}, address: '127.0.0.1', namespace });
  const page = await decisionFor('/agent');
  assert.ok(page.ok);
  assert.deepEqual([page.principal.userId, page.principal.scopes], [rig.auth.auth.ownerId, ['read', 'write', 'approve']]);
  assert.equal((await decisionFor('/gateway')).ok, false);
  assert.equal((await rig.ask('GET', '/api/keys', { Authorization: `Bearer ${answer.key}` })).status, 403, 'it looks after no keys');
  assert.equal((await rig.ask('GET', `/api/pair/${started.userCode}`, { Authorization: `Bearer ${answer.key}` })).status, 403, 'it lets nothing in');
  const { keys } = json<{ keys: { id: string; name: string; kind: string }[] }>(await rig.ask('GET', '/api/keys', headers));
  assert.deepEqual([keys[0]?.name, keys[0]?.kind], [`${name.slice(0, 89)} (terminal)`, 'user']);
  const ended: unknown[] = [];
  const stop = rig.auth.auth.onRevoked((what) => ended.push(what));
  assert.equal((await rig.ask('DELETE', `/api/keys/${keys[0]?.id}`, headers)).status, 200);
  stop();
  assert.deepEqual(ended, [{ credentialId: keys[0]?.id }]);
  assert.equal((await decisionFor('/agent')).ok, false);
  const { rows } = await rig.auth.database.pool.query<{ action: string }>('select action from audit_entries where about = $1', [name]);
  assert.deepEqual(rows, [{ action: 'terminal_paired' }]);
});

test('H27: of 15 questions at once after an approval one gets the key', async () => {
  const { deviceCode, userCode } = await start();
  await decide(await person(), userCode, 'approve');
  later(INTERVAL_MS);
  const answers = await Promise.all(Array.from({ length: 15 }, () => told(deviceCode)));
  assert.equal(answers.filter((answer) => answer.startsWith('tnd_')).length, 1);
});

test('H14, H27: an approval ends with the credential of whoever gave it', async () => {
  const { deviceCode, userCode } = await start();
  const thief = await person();
  assert.equal((await decide(thief, userCode, 'approve')).status, 200);
  assert.equal((await rig.post('/api/auth/sign-out', thief, '')).status, 200);
  later(INTERVAL_MS);
  assert.equal(await told(deviceCode), 'authorization_pending');
  const { rows } = await rig.auth.database.pool.query(`select from api_keys where name = 'office' and created_at > $1`, [
    new Date(rig.auth.clock.now.getTime() - INTERVAL_MS),
  ]);
  assert.equal(rows.length, 0);

  const other = await start();
  const { key, row } = await rig.auth.auth.createKey({ userId: rig.auth.auth.ownerId, name: 'a script' });
  assert.equal((await decide({ Authorization: `Bearer ${key}` }, other.userCode, 'approve')).status, 200);
  await rig.auth.auth.revokeKey(rig.auth.auth.ownerId, row.id);
  later(INTERVAL_MS);
  assert.equal(await told(other.deviceCode), 'authorization_pending');
});

test('H26: the first decision stands', async () => {
  const headers = await person();
  const denied = await start();
  assert.equal((await decide(headers, denied.userCode, 'deny')).status, 200);
  assert.equal((await decide(headers, denied.userCode, 'approve')).status, 404);
  assert.equal(await told(denied.deviceCode), 'access_denied');
  const approved = await start();
  const both = await Promise.all(['approve', 'deny', 'approve'].map((decision) => decide(headers, approved.userCode, decision)));
  assert.equal(both.filter(({ status }) => status === 200).length, 1);
  assert.equal((await rig.ask('GET', `/api/pair/${approved.userCode}`, headers)).status, 404);
});

test('H26: nobody decides who is not signed in, and a cookie does only with a page of ours', async () => {
  const { userCode, deviceCode } = await start();
  const headers = await person();
  for (const [sent, status] of [
    [{}, 401],
    [{ Cookie: headers['Cookie'] ?? '' }, 403],
    [{ Cookie: headers['Cookie'] ?? '', Origin: 'https://evil.example' }, 403],
    [{ Authorization: 'Bearer wrong' }, 401],
  ] as [Record<string, string>, number][]) {
    assert.equal((await rig.ask('GET', `/api/pair/${userCode}`, sent)).status, status);
    assert.equal((await decide(sent, userCode, 'approve')).status, status);
  }
  assert.equal(await told(deviceCode), 'authorization_pending');
  assert.equal((await decide(headers, userCode, 'perhaps')).status, 400);
});

test('H25, H27: after ten minutes it is over, approved or not', async () => {
  const headers = await person();
  const [waiting, approved] = [await start(), await start()];
  await decide(headers, approved.userCode, 'approve');
  later(LIFETIME_MS);
  for (const { deviceCode, userCode } of [waiting, approved]) {
    assert.equal(await told(deviceCode), 'expired_token');
    assert.equal((await rig.ask('GET', `/api/pair/${userCode}`, headers)).status, 404);
    assert.equal((await decide(headers, userCode, 'approve')).status, 404);
  }
});

test('H27: who asks too often is told to slow down', async () => {
  const { deviceCode } = await start();
  const answers = [await told(deviceCode), await told(deviceCode)];
  later(INTERVAL_MS);
  answers.push(await told(deviceCode));
  assert.deepEqual(answers, ['authorization_pending', 'slow_down', 'authorization_pending']);
});

test('H12, H25, H26: guesses of either code, and requests, are limited', async () => {
  const guesses = [];
  for (let index = 0; index < 25; index += 1) guesses.push((await poll('A'.repeat(43))).status);
  assert.deepEqual([...new Set(guesses)], [400, 429]);
  const headers = await person();
  const codes = [];
  for (let index = 0; index < 25; index += 1) codes.push((await rig.ask('GET', '/api/pair/BBBB-BBBB', headers)).status);
  assert.deepEqual([...new Set(codes)], [404, 429]);
  const starts = [];
  for (let index = 0; index < 25; index += 1)
    starts.push((await rig.post('/api/pair', JSON_TYPE, JSON.stringify({ gatewayId: randomUUID(), name: 'flood' }))).status);
  assert.deepEqual([...new Set(starts)], [201, 429]);
});
