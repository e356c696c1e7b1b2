import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { watchedStranger } from '../watched-page.ts';
import type { Stage } from './stage.ts';

const DAY_MS = 24 * 3_600_000;

/** People and what they have: names, addresses, keys, browsers, machines that ask, keys of providers. */
export function peopleScenes(stage: Stage): void {
  const { rig, words } = stage;

  test('U29: through people, invitations and what was done', async () => {
    await putPeople(stage);
    const seen = await stage.visit('/people');
    await seen.device.button('Show more').click();
    await stage.sees('people', seen, { part: seen.device.page.getByRole('main') });
  });

  test('U29: through keys and signed-in browsers', async () => {
    await putKeys(stage);
    const seen = await stage.visit('/access');
    await stage.sees('keys and devices', seen, { part: seen.device.page.getByRole('main') });
  });

  test('U29: through a machine that asks to be let in, and that is kept out', async () => {
    const now = Date.now();
    const machine = { name: words.all('pairings.name'), address: words.all('pairings.address') };
    const times = { created_at: new Date(now), expires_at: new Date(now + DAY_MS) };
    await stage.rows.insert('pairings', [{ device_hash: randomUUID(), user_code: 'BCDF-GHJK', gateway_id: randomUUID(), relay: true, ...machine, ...times }]);
    const seen = await stage.visit('/pair?code=BCDF-GHJK');
    await stage.sees('pairing card', seen, { part: seen.device.page.getByRole('main') });
    await seen.device.button('Keep it out').click();
    await stage.sees('paired machine', seen, { part: seen.device.page.getByRole('status').filter({ hasText: 'is kept out' }) });
  });

  test('U29: through the keys of providers, whoever set them', async () => {
    const seen = await stage.visit();
    const stored = {
      ...{ setAt: new Date(), setBy: words.all('users.name'), lastCharacters: words.all('last characters of a provider key') },
      url: words.all('address of a provider'),
    };
    await answers(seen.device.page, '/api/providers', {
      providers: [
        { provider: 'compatible', variables: [], isFromEnvironment: false, stored },
        { provider: 'google', variables: [], isFromEnvironment: false, stored: { setAt: new Date(), fault: words.all('fault of a provider key') } },
      ],
    });
    await stage.visit('/models', seen);
    await stage.sees('provider keys', seen, { part: seen.device.page.getByRole('main') });
  });

  test('U29: through the own account, an invitation as it is accepted, and the identity provider', async () => {
    const token = randomBytes(32).toString('base64url');
    const provider = words.all('name of the identity provider');
    const invitation = { name: words.all('invitations.name'), role: 'member', invited_by: stage.rows.ownerId, ...lifetime() };
    await stage.rows.insert('invitations', [{ id: randomUUID(), hash: hashOf(token), ...invitation }]);
    const [name, email] = [words.all('users.name'), words.all('users.email')];
    await rig.product.sql('update users set name = $1 where id = $2', [name.replaceAll('\0', '\uFFFD'), stage.rows.ownerId]);
    const seen = await stage.visit();
    await answers(seen.device.page, '/api/account', { account: { name, email, role: 'owner', hasPassword: false, mayLeaveOutPassword: true, provider } });
    await stage.visit('/account', seen);
    await stage.sees('own account', seen);
    const invited = await watchedStranger(rig, rig.url);
    await alsoAnswers(invited.device.page, '/api/auth/invitation', { provider });
    await invited.device.page.goto(`${rig.url}/join#${token}`);
    await stage.sees('invited person', invited);
    rig.allow(/status of 401/);
    await answers(invited.device.page, '/api/auth/ways', { password: true, provider });
    await invited.device.page.goto(rig.url);
    await stage.sees('sign-in', invited);
  });
}

/** What a server answers that is set up otherwise than this one, or has names that ours would not take. */
async function answers(page: Page, path: string, json: object): Promise<void> {
  await page.route(`**${path}`, (route) => route.fulfill({ json }));
}

/** What ours answers, and this. */
async function alsoAnswers(page: Page, path: string, more: object): Promise<void> {
  await page.route(`**${path}`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), ...more } });
  });
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('base64url');
}

function lifetime(): { created_at: Date; expires_at: Date } {
  return { created_at: new Date(), expires_at: new Date(Date.now() + DAY_MS) };
}

/** Each person has done something to themself, after all else. */
async function putPeople({ rows, words }: Stage): Promise<void> {
  const emails = words.rows('users.email');
  const people = words.rows('users.name').map((name, index) => ({ id: randomUUID(), name, email: emails[index] ?? '', role: 'member' }));
  await rows.insert('users', people);
  const [actions, addresses] = [words.rows('audit_entries.action'), words.rows('audit_entries.address')];
  const entries = words.rows('audit_entries.about').map((about, index) => ({
    ...{ id: `ffffffff-ffff-7fff-bfff-${String(index).padStart(12, '0')}`, at: new Date(), user_id: people[index]?.id ?? null, about },
    ...{ about_user_id: people[index]?.id ?? null, action: actions[index] ?? '', address: addresses[index] ?? '' },
  }));
  await rows.insert('audit_entries', entries);
  const invitations = words
    .rows('invitations.name')
    .map((name) => ({ id: randomUUID(), hash: randomUUID(), name, role: 'member', invited_by: rows.ownerId, ...lifetime() }));
  await rows.insert('invitations', invitations);
}

async function putKeys({ rows, words }: Stage): Promise<void> {
  const now = new Date();
  const prefixes = words.rows('api_keys.prefix');
  const scopes = words.rows('api_keys.scopes');
  const keys = words.rows('api_keys.name').map((name, index) => ({
    ...{ id: randomUUID(), user_id: rows.ownerId, name, kind: 'user', hash: randomUUID(), prefix: prefixes[index] ?? '' },
    scopes: [(scopes[index] ?? '').replaceAll('\0', '\uFFFD')],
  }));
  await rows.insert('api_keys', keys);
  const addresses = words.rows('auth_sessions.ip_address');
  const browsers = words.rows('auth_sessions.user_agent').map((agent, index) => ({
    ...{ id: randomUUID(), token: randomUUID(), user_id: rows.ownerId, expires_at: new Date(now.getTime() + DAY_MS), created_at: now, updated_at: now },
    ...{ user_agent: agent, ip_address: addresses[index] ?? '' },
  }));
  await rows.insert('auth_sessions', browsers);
}
