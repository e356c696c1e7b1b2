import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base32 } from '@better-auth/utils/base32';
import { codeAt } from '../auth/one-time-code.ts';
import { invite, json, PASSWORD, peopleRig } from '../http/people-rig.ts';

/**
 * What every column that can hold text is:
 *
 *   plain    names, states, places, times: nothing that opens anything
 *   content  what people, models and tools said: theirs, and as safe as the database
 *   hash     of a credential, one way
 *   sealed   by the secret key, see `Keyring`
 *   signed   worth nothing without a signature that only the secret key makes
 *   never    nothing is ever written there
 */
type Kind = 'plain' | 'content' | 'hash' | 'sealed' | 'signed' | 'never';

const COLUMNS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  accounts: { account_id: 'plain', provider_id: 'plain', access_token: 'never', refresh_token: 'never', id_token: 'never', scope: 'never', password: 'hash' },
  api_keys: { name: 'plain', kind: 'plain', hash: 'hash', prefix: 'plain', scopes: 'plain' },
  audit_entries: { action: 'plain', credential_id: 'plain', address: 'plain', about: 'plain' },
  // The cookie holds it with a signature (HMAC) of the secret key: whoever reads it here cannot make one.
  auth_sessions: { token: 'signed', ip_address: 'plain', user_agent: 'plain', opened_with: 'plain' },
  calls: {
    ...{ tool: 'plain', kind: 'plain', effect: 'plain', input: 'content', input_hash: 'plain', state: 'plain', workspace: 'plain', definition: 'plain' },
    ...{ decision: 'content', result: 'content', resolution: 'content', metadata: 'content' },
  },
  gateways: { name: 'plain', platform: 'plain', workspaces: 'plain', tools: 'content', sandbox: 'plain' },
  invitations: { hash: 'hash', name: 'plain', role: 'plain' },
  messages: { role: 'plain', state: 'plain', parts: 'content', model: 'plain', usage: 'plain' },
  // The code that a person types opens nothing by itself, and is over after ten minutes.
  pairings: { device_hash: 'hash', user_code: 'plain', name: 'plain', address: 'plain', state: 'plain', decided_with: 'plain' },
  permission_rules: { tool: 'plain', subject: 'content', workspace: 'plain', definition: 'plain' },
  recovery_codes: { hash: 'hash' },
  second_steps: { hash: 'hash' },
  secrets: { scope: 'plain', name: 'plain', key_id: 'plain', sealed: 'sealed' },
  session_events: { type: 'plain', data: 'content' },
  session_tokens: { hash: 'hash', origin: 'plain' },
  sessions: {
    ...{ title: 'content', model: 'plain', workspace: 'plain', turn_partial: 'content', last_error: 'content', usage: 'plain' },
    ...{ status: 'plain', lease_node: 'plain' },
  },
  sign_in_links: { hash: 'hash' },
  users: { name: 'plain', email: 'plain', image: 'never', role: 'plain' },
  verifications: { identifier: 'never', value: 'never' },
};

/** These hold no text that somebody chose. */
const NOT_TEXT = ['uuid', 'integer', 'bigint', 'boolean', 'timestamp with time zone'];

const SECRET = 'canary-of-a-provider-0123456789';

test('A15: every column that can hold text is classified, and every classified one is there', async () => {
  await using rig = await peopleRig();
  const { rows } = await rig.auth.database.pool.query<{ table_name: string; column_name: string }>(
    `select table_name, column_name from information_schema.columns where table_schema = 'public' and data_type <> all($1::text[])`,
    [NOT_TEXT],
  );
  const found = rows.map((row) => `${row.table_name}.${row.column_name}`).toSorted();
  const classified = Object.entries(COLUMNS).flatMap(([table, columns]) => Object.keys(columns).map((column) => `${table}.${column}`));
  assert.deepEqual(found, classified.toSorted(), 'say in this file what a new column holds, and how it is kept if that is a secret');
});

test('A15: after everybody came in every way there is, no credential stands in any table, and nothing where nothing is to stand', async () => {
  await using rig = await peopleRig({ desktop: true, ownerKey: 'owner-key-canary-owner-key-canary-owner-key' });
  const link = new URL(await rig.auth.auth.signInLink()).searchParams.get('token') ?? '';
  const invitation = await invite(rig.owner, 'Carl');
  const ada = await rig.member('Ada');
  const { key } = json(await ada.post('/api/keys', { name: 'script' })) as unknown as { key: string };
  const pairing = json(await rig.stranger().post('/api/pair', { gatewayId: '0192a7c0-0000-7000-8000-000000000001', name: 'laptop' })) as Record<
    string,
    unknown
  >;
  const deviceCode = String(pairing['deviceCode']);
  assert.equal((await rig.owner.post('/api/providers/openai', { key: SECRET })).status, 200);
  const factor = '/api/account/second-factor';
  const { secret: factorSecret } = json(await ada.post(factor, { password: PASSWORD })) as unknown as { secret: string };
  const code = await codeAt(base32.decode(factorSecret), rig.auth.clock.now);
  const { recoveryCodes } = json(await ada.post(`${factor}/confirm`, { code })) as unknown as { recoveryCodes: string[] };
  const half = await rig.stranger().post('/api/auth/sign-in', { email: ada.email, password: PASSWORD });
  const step = /second_step=([\w-]{43})/.exec(String(half.headers['set-cookie']))?.[1];
  const credentials = [
    ...recoveryCodes,
    factorSecret,
    String(step),
    link,
    invitation,
    key,
    deviceCode,
    PASSWORD,
    SECRET,
    'owner-key-canary-owner-key-canary-owner-key',
    String(ada.cookie),
  ];
  for (const credential of credentials) assert.ok(credential.length > 15 && credential !== 'undefined', credential);
  const { pool } = rig.auth.database;
  for (const [table, columns] of Object.entries(COLUMNS)) {
    const whole = (await pool.query<{ row: string }>(`select t::text as row from ${table} t`)).rows.map(({ row }) => row).join('\n');
    for (const credential of credentials)
      for (const text of [credential, Buffer.from(credential).toString('hex')]) assert.ok(!whole.includes(text), `${table} holds ${credential}`);
    for (const [column, kind] of Object.entries(columns)) {
      const { rows } = await pool.query<{ filled: number }>(`select count(${column})::int as filled from ${table}`);
      if (kind === 'never') assert.equal(rows[0]?.filled, 0, `${table}.${column}`);
      else if (['hash', 'sealed', 'signed'].includes(kind) && table !== 'session_tokens')
        assert.ok((rows[0]?.filled ?? 0) > 0, `${table}.${column} was not tried`);
    }
  }
});

test('A15: the database itself refuses tokens of an identity provider', async () => {
  await using rig = await peopleRig();
  for (const column of ['access_token', 'refresh_token', 'id_token']) {
    await assert.rejects(
      rig.auth.database.pool.query(
        `insert into accounts (id, account_id, provider_id, user_id, ${column}) values (gen_random_uuid(), 'a', 'p', $1, 'a-token-of-the-provider')`,
        [rig.auth.auth.ownerId],
      ),
      /accounts_hold_no_tokens/,
    );
  }
});
