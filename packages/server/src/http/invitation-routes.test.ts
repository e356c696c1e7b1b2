import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, invite, json, PASSWORD, type PeopleRig, peopleRig, refusal } from './people-rig.ts';

async function look(rig: PeopleRig, token: string) {
  return rig.stranger().post('/api/auth/invitation', { token });
}

test('A6: an invitation shows who invites, makes one account, and is over then', async () => {
  await using rig = await peopleRig();
  const token = await invite(rig.owner, 'Ada from the office', 'member');
  const shown = json(await look(rig, token)) as unknown as { invitation: Record<string, string> };
  assert.deepEqual([shown.invitation['name'], shown.invitation['role'], shown.invitation['invitedBy']], ['Ada from the office', 'member', 'Owner']);
  const joins = Array.from({ length: 20 }, (_, index) =>
    rig.stranger().post('/api/auth/join', { token, name: 'Ada', email: `ada${index}@example.org`, password: PASSWORD }),
  );
  const statuses = (await Promise.all(joins)).map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 200).length, 1);
  assert.equal(refusal(await look(rig, token)).code, 'not_found');
  const { people } = json(await rig.owner.get('/api/people')) as unknown as { people: object[] };
  assert.equal(people.length, 2);
  assert.ok(!JSON.stringify((await rig.auth.database.pool.query('select * from invitations')).rows).includes(token));
});

test('A6: what is refused leaves the invitation whole', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const token = await invite(rig.owner, 'Bob');
  const join = (body: object) => rig.stranger().post('/api/auth/join', { token, name: 'Bob', email: 'bob@example.org', password: PASSWORD, ...body });
  assert.equal(refusal(await join({ password: 'short' })).status, 400);
  assert.equal(refusal(await join({ email: 'nonsense' })).status, 400);
  assert.equal(refusal(await join({ name: '\u202e' })).status, 400);
  assert.equal(refusal(await join({ email: ada.email })).code, 'conflict');
  assert.equal((await join({})).status, 200);
});

test('A6: an invitation ends after seven days, when it is taken back, and with its maker', async () => {
  await using rig = await peopleRig();
  const old = await invite(rig.owner, 'Late');
  rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + 7 * 24 * 3_600_000);
  assert.equal((await look(rig, old)).status, 404);
  const taken = await invite(rig.owner, 'Unwanted');
  const { invitations } = json(await rig.owner.get('/api/invitations')) as unknown as { invitations: { id: string; name: string }[] };
  assert.deepEqual(
    invitations.map(({ name }) => name),
    ['Unwanted'],
  );
  assert.equal((await rig.owner.delete(`/api/invitations/${invitations[0]?.id}`)).status, 200);
  assert.equal((await look(rig, taken)).status, 404);
  const olga = new Browser(rig);
  await olga.post('/api/auth/join', { token: await invite(rig.owner, 'Olga', 'owner'), name: 'Olga', email: 'olga@example.org', password: PASSWORD });
  const hers = await invite(olga, 'Friend');
  assert.equal((await look(rig, hers)).status, 200);
  const { account } = json(await olga.get('/api/account')) as unknown as { account: { id: string } };
  await rig.owner.post(`/api/people/${account.id}`, { isKeptOut: true });
  assert.equal((await look(rig, hers)).status, 404);
});
