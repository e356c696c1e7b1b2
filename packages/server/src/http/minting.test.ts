import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { SCOPES } from '@tendon/protocol';
import { declaredRoutes } from '@tendon/testing';
import { type Made, type Maker, Mint } from './minting-rig.ts';
import { json, PASSWORD } from './people-rig.ts';

/*
 * Every route that makes or changes a credential, tried with every kind of credential that comes in over HTTP, and judged by what came of it: what
 * was made is used. A route without a row here, or a reason why it needs none, does not pass.
 */

interface Row {
  /** A browser session alone; what stands for its person whole; whatever has `manage`, and what is made is bounded by it; the command line alone. */
  readonly takes: 'browser' | 'whole' | 'manage' | 'command line';
  readonly attempt: (mint: Mint, maker: Maker) => Promise<readonly Made[]>;
}

const OTHER = 'another horse battery';
const READS = 'tells, and makes nothing';
const ENDS = 'ends something, and makes nothing';
const OWN_SECRET = 'goes by a secret of its own, whatever credential comes along';
const MODELS = 'is about keys of model providers, which open nothing here';

const field = async <T>(answer: Promise<{ readonly status: number; readonly body: Buffer }>, name: string): Promise<T | undefined> => {
  const text = (await answer).body.toString();
  return (JSON.parse(text) as Record<string, T>)[name];
};

async function pair(mint: Mint, maker: Maker, request: object): Promise<readonly Made[]> {
  const started = json(await mint.rig.post('/api/pair', {}, JSON.stringify({ name: 'office', ...request }))) as unknown as {
    userCode: string;
    deviceCode: string;
  };
  await mint.send(maker, `POST /api/pair/${started.userCode}`, { decision: 'approve' });
  const keys = json(await mint.rig.post('/api/pair/key', {}, JSON.stringify({ deviceCode: started.deviceCode }))) as { key?: string; relayKey?: string };
  return [...(await mint.judgeToken(maker, keys.key)), ...(await mint.judgeToken(maker, keys.relayKey))];
}

const ROUTES: Readonly<Record<string, Row | string>> = {
  'POST /api/keys': {
    takes: 'manage',
    async attempt(mint, maker) {
      const made: Made[] = [];
      const bodies = [{}, { expiresInDays: 3_650 }, { gatewayId: randomUUID() }, { scopes: SCOPES }, ...SCOPES.map((scope) => ({ scopes: [scope] }))];
      for (const body of bodies) made.push(...(await mint.judgeToken(maker, await field(mint.send(maker, 'POST /api/keys', { name: 'k', ...body }), 'key'))));
      return made;
    },
  },
  'POST /api/pair/:code': {
    takes: 'whole',
    async attempt(mint, maker) {
      const terminal = await pair(mint, maker, { kind: 'terminal' });
      const machine = await pair(mint, maker, { gatewayId: randomUUID() });
      return [...terminal, ...machine, ...(await pair(mint, maker, { gatewayId: randomUUID(), relay: true }))];
    },
  },
  'POST /api/invitations': {
    takes: 'whole',
    async attempt(mint, maker) {
      const made: Made[] = [];
      for (const role of ['member', 'owner']) {
        const url = await field<string>(mint.send(maker, 'POST /api/invitations', { name: 'Eve', role }), 'url');
        const browser = mint.rig.stranger();
        const email = `${randomUUID()}@example.org`;
        if (url !== undefined) await browser.post('/api/auth/join', { token: new URL(url).hash.slice(1), name: 'Eve', email, password: PASSWORD });
        made.push(...(await mint.judgeBrowser(browser)));
      }
      return made;
    },
  },
  'POST /api/people/:id/sign-in-link': {
    takes: 'whole',
    async attempt(mint, maker) {
      return mint.judgeBrowser(await mint.visit(await field(mint.send(maker, `POST /api/people/${mint.ada.id}/sign-in-link`), 'url')));
    },
  },
  'POST /api/people/:id': {
    takes: 'whole',
    async attempt(mint, maker) {
      const path = `POST /api/people/${mint.ada.id}`;
      await mint.sql(`update users set role = 'member', disabled_at = null where id = $1`, mint.ada.id);
      await mint.send(maker, path, { role: 'owner' });
      const owners = await mint.sql(`select 1 from users where id = $1 and role = 'owner'`, mint.ada.id);
      await mint.sql(`update users set role = 'member', disabled_at = now() where id = $1`, mint.ada.id);
      await mint.send(maker, path, { isKeptOut: false });
      const letIn = await mint.sql('select 1 from users where id = $1 and disabled_at is null', mint.ada.id);
      await mint.sql('update users set disabled_at = null where id = $1', mint.ada.id);
      return [...mint.judgeChange(owners.length > 0), ...mint.judgeChange(letIn.length > 0)];
    },
  },
  'DELETE /api/people/:id/second-factor': {
    takes: 'whole',
    async attempt(mint, maker) {
      await mint.sql(
        'insert into second_factors (user_id, secret_id, created_at, confirmed_at) values ($1, gen_random_uuid(), now(), now()) on conflict do nothing',
        mint.ada.id,
      );
      await mint.send(maker, `DELETE /api/people/${mint.ada.id}/second-factor`);
      return mint.judgeChange((await mint.factorOf(mint.ada.id)) === '[]');
    },
  },
  'POST /api/account': {
    takes: 'browser',
    async attempt(mint, maker) {
      const email = `${randomUUID()}@example.org`;
      await mint.send(maker, 'POST /api/account', { name: 'Olga', email });
      return mint.judgeChange((await mint.sql('select 1 from users where id = $1 and email = $2', mint.ownerId, email)).length > 0);
    },
  },
  'POST /api/account/password': {
    takes: 'browser',
    async attempt(mint, maker) {
      const tryIt = async (body: object): Promise<readonly Made[]> => {
        await mint.send(maker, 'POST /api/account/password', { password: OTHER, ...body });
        const browser = mint.rig.stranger();
        await browser.post('/api/auth/sign-in', { email: 'owner@example.org', password: OTHER });
        return mint.judgeBrowser(browser);
      };
      await mint.withPassword();
      const made = await tryIt({ current: PASSWORD });
      await mint.withoutPassword();
      return [...made, ...(await tryIt({}))];
    },
  },
  'DELETE /api/account/provider': {
    takes: 'browser',
    async attempt(mint, maker) {
      await mint.send(maker, 'DELETE /api/account/provider');
      const made = mint.judgeChange(!(await mint.isConnected()));
      await mint.connect();
      return made;
    },
  },
  'POST /api/auth/provider': {
    takes: 'browser',
    async attempt(mint, maker) {
      const answer = await mint.send({ ...maker, headers: { Origin: mint.rig.origin, ...maker.headers } }, 'POST /api/auth/provider', { errand: 'connect' });
      return mint.judgeChange(answer.status === 200);
    },
  },
  'POST /api/account/second-factor': {
    takes: 'browser',
    async attempt(mint, maker) {
      await mint.withPassword();
      await mint.send(maker, 'POST /api/account/second-factor', { password: PASSWORD });
      return mint.judgeChange((await mint.factorOf(mint.ownerId)) !== '[]');
    },
  },
  'POST /api/account/second-factor/confirm': {
    takes: 'browser',
    async attempt(mint, maker) {
      const code = await mint.withBegun();
      const before = await mint.factorOf(mint.ownerId);
      await mint.send(maker, 'POST /api/account/second-factor/confirm', { code });
      return mint.judgeChange((await mint.factorOf(mint.ownerId)) !== before);
    },
  },
  'POST /api/account/second-factor/recovery-codes': {
    takes: 'browser',
    async attempt(mint, maker) {
      const code = await mint.withFactor();
      const before = await mint.factorOf(mint.ownerId);
      await mint.send(maker, 'POST /api/account/second-factor/recovery-codes', { password: PASSWORD, code });
      return mint.judgeChange((await mint.factorOf(mint.ownerId)) !== before);
    },
  },
  'POST /api/account/second-factor/off': {
    takes: 'browser',
    async attempt(mint, maker) {
      const code = await mint.withFactor();
      const before = await mint.factorOf(mint.ownerId);
      await mint.send(maker, 'POST /api/account/second-factor/off', { password: PASSWORD, code });
      return mint.judgeChange((await mint.factorOf(mint.ownerId)) !== before);
    },
  },
  'POST /api/auth/session-token': {
    takes: 'browser',
    async attempt(mint, maker) {
      const headers = { Origin: mint.rig.origin, 'X-Requested-With': 'tendon', 'User-Agent': 'TendonDesktop/0.1.0', ...maker.headers };
      return mint.judgeToken(maker, await field(mint.send({ ...maker, headers }, 'POST /api/auth/session-token'), 'token'));
    },
  },
  'POST /api/sign-in-links': {
    takes: 'command line',
    attempt: async (mint, maker) => mint.judgeBrowser(await mint.visit(await field(mint.send(maker, 'POST /api/sign-in-links'), 'url'))),
  },
  'POST /api/second-factor/reset': {
    takes: 'command line',
    async attempt(mint, maker) {
      await mint.withFactor();
      await mint.send(maker, 'POST /api/second-factor/reset');
      return mint.judgeChange((await mint.factorOf(mint.ownerId)) === '[]');
    },
  },

  'GET /sign-in': OWN_SECRET,
  'GET /api/auth/provider/return': OWN_SECRET,
  'POST /api/auth/invitation': OWN_SECRET,
  'POST /api/auth/join': OWN_SECRET,
  'POST /api/auth/second-step': OWN_SECRET,
  'POST /api/auth/sign-in': OWN_SECRET,
  'POST /api/pair': 'makes codes that open nothing until somebody has decided',
  'POST /api/pair/key': OWN_SECRET,

  'DELETE /api/devices/:id': ENDS,
  'DELETE /api/invitations/:id': ENDS,
  'DELETE /api/keys/:id': ENDS,
  'POST /api/auth/sign-out': ENDS,
  'POST /api/devices/sign-out-others': ENDS,

  'DELETE /api/providers/:provider': MODELS,
  'GET /api/providers': MODELS,
  'GET /api/secrets': MODELS,
  'POST /api/providers/:provider': MODELS,

  'GET /api/me': 'tells, and moves the end of the browser session that asks',
  'GET /api/account': READS,
  'GET /api/account/second-factor': READS,
  'GET /api/audit': READS,
  'GET /api/auth/ways': READS,
  'GET /api/devices': READS,
  'GET /api/invitations': READS,
  'GET /api/keys': READS,
  'GET /api/pair/:code': READS,
  'GET /api/people': READS,
  'GET /healthz': READS,
  'GET /metrics': READS,
  'GET /readyz': READS,
};

function may(maker: Maker, { takes }: Row): boolean {
  if (takes === 'command line') return false;
  if (takes === 'browser' || maker.isBrowser) return maker.isBrowser;
  return takes === 'manage' ? maker.scopes.includes('manage') : maker.endsAt === undefined && maker.scopes.length === SCOPES.length;
}

test('A11: every route has a row among those that make or change a credential, or a reason why it needs none', async () => {
  assert.deepEqual(Object.keys(ROUTES).toSorted(), await declaredRoutes());
});

test('A11: what a credential makes is never good for more than itself, nor for longer, by any route', async (context) => {
  await using mint = await Mint.open();
  const makers = await mint.makers();
  for (const [route, row] of Object.entries(ROUTES)) {
    if (typeof row === 'string') continue;
    for (const maker of makers)
      await context.test(`A11: ${route} with ${maker.name}`, async () => {
        // The limits of guesses are full again; what ends by itself does not end yet.
        mint.rig.auth.clock.now = new Date(mint.rig.auth.clock.now.getTime() + 10_000);
        const made = await row.attempt(mint, maker);
        assert.equal(made.length > 0, may(maker, row), JSON.stringify(made));
        for (const { scopes, outlives } of made) {
          assert.deepEqual(
            scopes.filter((scope) => !maker.scopes.includes(scope)),
            [],
          );
          if (maker.endsAt !== undefined) assert.equal(outlives, false, 'it is good for something after its maker has ended');
        }
      });
  }
});
