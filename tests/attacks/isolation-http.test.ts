import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { declaredRoutes } from '@tendon/testing';
import { isolationRig } from './isolation-rig.ts';

/*
 * Somebody else on the same server tries every route of HTTP on another person's things. What is another's and what is nowhere must answer
 * the same, word for word, and change nothing. A route without a row here, or a reason why it needs none, does not pass.
 */

const isolation = await isolationRig();
after(() => isolation[Symbol.asyncDispose]());
const { rig, stranger, everythingElse } = isolation;

/** Names of things, the owner's or nobody's. */
interface Things {
  readonly keyId: string;
  readonly deviceId: string;
  readonly invitationId: string;
  readonly personId: string;
  /** Of a machine about which the owner has decided. */
  readonly userCode: string;
}

interface Row {
  readonly of: keyof Things;
  readonly status: 403 | 404;
  /** What is sent, one request each; nothing when left out. */
  readonly bodies?: readonly object[];
}

const SELF = 'is about whoever asks, and takes no id';
const OWNERS = 'is for owners alone, whatever it names: asked below';
const BEFORE = 'is for people who are not signed in yet, and goes by a secret of theirs';
const NOTHING = 'names nothing that is anybody’s';

const ON_HTTP: Readonly<Record<string, Row | string>> = {
  'DELETE /api/devices/:id': { of: 'deviceId', status: 404 },
  'DELETE /api/invitations/:id': { of: 'invitationId', status: 403 },
  'DELETE /api/keys/:id': { of: 'keyId', status: 404 },
  'DELETE /api/people/:id/second-factor': { of: 'personId', status: 403 },
  'GET /api/pair/:code': { of: 'userCode', status: 404 },
  'POST /api/pair/:code': { of: 'userCode', status: 404, bodies: [{ decision: 'approve' }, { decision: 'deny' }] },
  'POST /api/people/:id': { of: 'personId', status: 403, bodies: [{ role: 'member' }, { role: 'owner' }, { isKeptOut: true }, { isKeptOut: false }] },
  'POST /api/people/:id/sign-in-link': { of: 'personId', status: 403 },

  'GET /api/audit': 'lists what whoever asks did, before any id: asked below',
  'POST /api/pair': 'makes a new thing that is nobody’s until somebody decides; whoever has the machine’s letters may',
  'POST /api/pair/key': 'goes by a secret of 256 bits that one machine has',
  'DELETE /api/providers/:provider': OWNERS,
  'POST /api/providers/:provider': OWNERS,
  'GET /api/providers': OWNERS,
  'GET /api/secrets': OWNERS,
  'GET /api/people': OWNERS,
  'GET /api/invitations': OWNERS,
  'POST /api/invitations': OWNERS,
  'POST /api/second-factor/reset': 'is for the command line of this server alone: asked below',
  'POST /api/sign-in-links': 'is for the command line of this server alone: asked below',

  'GET /api/me': SELF,
  'GET /api/account': SELF,
  'POST /api/account': SELF,
  'POST /api/account/password': SELF,
  'DELETE /api/account/provider': SELF,
  'GET /api/account/second-factor': SELF,
  'POST /api/account/second-factor': SELF,
  'POST /api/account/second-factor/confirm': SELF,
  'POST /api/account/second-factor/off': SELF,
  'POST /api/account/second-factor/recovery-codes': SELF,
  'GET /api/devices': SELF,
  'POST /api/devices/sign-out-others': SELF,
  'GET /api/keys': SELF,
  'POST /api/keys': SELF,
  'POST /api/auth/sign-out': SELF,
  'POST /api/auth/session-token': SELF,

  'GET /sign-in': BEFORE,
  'GET /api/auth/provider/return': BEFORE,
  'POST /api/auth/invitation': BEFORE,
  'POST /api/auth/join': BEFORE,
  'POST /api/auth/provider': BEFORE,
  'POST /api/auth/second-step': BEFORE,
  'POST /api/auth/sign-in': BEFORE,

  'GET /api/auth/ways': NOTHING,
  'GET /healthz': NOTHING,
  'GET /metrics': NOTHING,
  'GET /readyz': NOTHING,
};

const as =
  (key: string) =>
  (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${rig.url}${path}`, { ...init, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } });
const ask = as(stranger.key);
const owner = as(rig.key);
const post = (body: object): RequestInit => ({ method: 'POST', body: JSON.stringify(body) });

async function ownersThings(): Promise<Things> {
  const { row } = await rig.server.auth.createKey({ userId: rig.server.ownerId, name: 'another' });
  assert.equal((await fetch(await rig.server.signInLink(), { redirect: 'manual' })).status, 303);
  const [device] = await rig.sql<{ id: string }>('select id from auth_sessions');
  const invitation = (await (await owner('/api/invitations', post({ name: 'Ada', role: 'member' }))).json()) as { id: string };
  const pairing = (await (await owner('/api/pair', post({ gatewayId: randomUUID(), name: 'a machine' }))).json()) as { userCode: string };
  assert.equal((await owner(`/api/pair/${pairing.userCode}`, post({ decision: 'approve' }))).status, 200);
  return { keyId: row.id, deviceId: device?.id ?? '', invitationId: invitation.id, personId: rig.server.ownerId, userCode: pairing.userCode };
}

const theirs = await ownersThings();
const nobodys: Things = {
  ...{ keyId: randomUUID(), deviceId: randomUUID(), invitationId: randomUUID(), personId: randomUUID() },
  userCode: theirs.userCode === 'BCDF-GHJK' ? 'BCDF-GHJL' : 'BCDF-GHJK',
};

describe('I13: another person asks over HTTP', () => {
  test('I13: every route has a row, or a reason why it needs none', async () => {
    assert.deepEqual(Object.keys(ON_HTTP).toSorted(), await declaredRoutes());
  });

  for (const [route, row] of Object.entries(ON_HTTP)) {
    if (typeof row === 'string') continue;
    test(`I13: ${route}: what is another's answers as what is nowhere, and nothing changes`, async () => {
      const [method = '', pattern = ''] = route.split(' ');
      const at = (things: Things): string => pattern.replace(/:\w+/, () => things[row.of]);
      for (const things of Object.values(theirs)) assert.notEqual(things, '');
      const before = await everythingElse();
      for (const body of row.bodies ?? [undefined]) {
        const init = { method, ...(body && { body: JSON.stringify(body) }) };
        const [answer, unknown] = [await ask(at(theirs), init), await ask(at(nobodys), init)];
        assert.deepEqual([answer.status, unknown.status], [row.status, row.status]);
        assert.equal(await answer.text(), await unknown.text(), 'the words tell whether it is there');
      }
      assert.deepEqual(await everythingElse(), before);
    });
  }

  test('I13: keys are listed for their owner alone', async () => {
    const { keys } = (await (await ask('/api/keys')).json()) as { keys: { id: string }[] };
    const owners = await rig.sql<{ id: string; user_id: string }>('select id, user_id from api_keys');
    const mine = owners.filter(({ user_id }) => user_id === stranger.userId).map(({ id }) => id);
    assert.deepEqual(keys.map(({ id }) => id).toSorted(), mine.toSorted());
  });

  test('I13: devices are listed for their owner alone, and another’s are not signed out with one’s own', async () => {
    assert.deepEqual(await (await ask('/api/devices')).json(), { devices: [] });
    const before = await everythingElse();
    assert.deepEqual(await (await ask('/api/devices/sign-out-others', { method: 'POST' })).json(), { ended: 0 });
    assert.deepEqual(await everythingElse(), before);
  });

  test('I13, A9: the account, the people and what they did are not to be had', async () => {
    const before = await everythingElse();
    const { account } = (await (await ask('/api/account')).json()) as { account: { id: string } };
    assert.equal(account.id, stranger.userId);
    for (const path of ['/api/people', '/api/invitations', '/api/audit?of=all']) assert.equal((await ask(path)).status, 403, path);
    assert.equal((await ask('/api/invitations', post({ name: 'Eve', role: 'owner' }))).status, 403);
    const [entry] = ((await (await owner('/api/audit')).json()) as { entries: { id: string }[] }).entries;
    assert.ok(entry, 'the owner has done something');
    for (const query of ['', `?before=${entry.id}`]) {
      const own = (await (await ask(`/api/audit${query}`)).json()) as { entries: { person: { id: string } }[] };
      for (const { person } of own.entries) assert.equal(person.id, stranger.userId);
    }
    assert.deepEqual(await everythingElse(), before);
  });

  test('I13, A19: the keys of model providers are not to be had, told of or changed', async () => {
    const set = await owner('/api/providers/google', { method: 'POST', body: JSON.stringify({ key: 'a-key-of-the-owner-0123456789' }) });
    assert.equal(set.status, 200);
    const before = await everythingElse();
    const answers = [
      await ask('/api/providers'),
      await ask('/api/secrets'),
      await ask('/api/providers/google', { method: 'POST', body: '{"key":"a-key-of-the-stranger"}' }),
      await ask('/api/providers/compatible', { method: 'POST', body: '{"url":"http://127.0.0.1:9/v1"}' }),
      await ask('/api/providers/google', { method: 'DELETE' }),
    ];
    for (const answer of answers) {
      assert.equal(answer.status, 403, answer.url);
      assert.doesNotMatch(await answer.text(), /6789|stored|setAt/);
    }
    assert.deepEqual(await everythingElse(), before);
    assert.equal((await owner('/api/providers/google', { method: 'DELETE' })).status, 200);
  });

  test('I13, A25: another’s second factor is neither seen nor changed', async () => {
    await rig.sql('insert into second_factors (user_id, secret_id, created_at, confirmed_at) values ($1, $2, now(), now())', [
      rig.server.ownerId,
      randomUUID(),
    ]);
    const factors = () => rig.sql('select * from second_factors');
    const before = await factors();
    assert.deepEqual(await (await ask('/api/account/second-factor')).json(), { isOn: false, recoveryCodesLeft: 0 });
    assert.equal((await ask(`/api/people/${rig.server.ownerId}/second-factor`, { method: 'DELETE' })).status, 403);
    assert.equal((await ask('/api/second-factor/reset', { method: 'POST' })).status, 404);
    const proof = JSON.stringify({ password: 'correct horse battery', code: '123456' });
    for (const path of ['', '/confirm', '/recovery-codes', '/off'])
      assert.notEqual((await ask(`/api/account/second-factor${path}`, { method: 'POST', body: proof })).status, 200, path);
    assert.deepEqual(await factors(), before);
    await rig.sql('delete from second_factors');
  });

  test('I13: a sign-in link of the owner is not to be had', async () => {
    assert.equal((await ask('/api/sign-in-links', { method: 'POST' })).status, 404);
  });
});
