import { base32 } from '@better-auth/utils/base32';
import { SCOPES, type Scope } from '@tendon/protocol';
import { type IdentityProviderRig, identityProviderRig } from '@tendon/testing';
import { cookiePair } from '../auth/auth-rig.ts';
import { codeAt } from '../auth/one-time-code.ts';
import type { Answer } from './http-rig.ts';
import { Browser, json, PASSWORD, type PeopleRig, peopleRig } from './people-rig.ts';

const FACTOR = '/api/account/second-factor';
const DESKTOP = 'TendonDesktop/0.1.0';

/** A credential of the first owner that tries to make others. */
export interface Maker {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly scopes: readonly Scope[];
  /** When it ends by itself. Undefined for a browser session too: that is its person, and what it makes outlives it. */
  readonly endsAt: Date | undefined;
  readonly isBrowser: boolean;
}

/** What a credential that was made is good for, tried out. */
export interface Made {
  readonly scopes: readonly Scope[];
  /** Whether it is good for anything a moment after its maker's end. */
  readonly outlives: boolean;
}

/** As its person, for good. */
const PERSON: Made = { scopes: SCOPES, outlives: true };

/** A server with everything that makes credentials, its first owner without a password, and Ada. For tests. */
export class Mint implements AsyncDisposable {
  readonly rig: PeopleRig;
  readonly ada: Awaited<ReturnType<PeopleRig['member']>>;
  readonly #provider: IdentityProviderRig;
  #passwordHash: string | undefined;
  #probes = 0;

  private constructor(rig: PeopleRig, ada: Mint['ada'], provider: IdentityProviderRig) {
    this.rig = rig;
    this.ada = ada;
    this.#provider = provider;
  }

  static async open(): Promise<Mint> {
    const provider = await identityProviderRig();
    const rig = await peopleRig({ desktop: true, oidc: provider.config, jwt: { ...provider.api, signUp: false } });
    provider.serve(rig.origin);
    const mint = new Mint(rig, await rig.member('Ada'), provider);
    await mint.connect();
    return mint;
  }

  get ownerId(): string {
    return this.rig.auth.auth.ownerId;
  }

  async sql<Row extends object>(text: string, ...values: unknown[]): Promise<readonly Row[]> {
    return (await this.rig.auth.database.pool.query<Row>(text, values)).rows;
  }

  /** `route`: method and path. */
  send(maker: Maker, route: string, body: object = {}): Promise<Answer> {
    const [method = '', path = ''] = route.split(' ');
    return method === 'POST'
      ? this.rig.post(path, { ...maker.headers, 'Content-Type': 'application/json' }, JSON.stringify(body))
      : this.rig.ask(method, path, { ...maker.headers });
  }

  /** Every kind of credential that comes in over HTTP, all of the first owner. */
  async makers(): Promise<readonly Maker[]> {
    const key = async (name: string, scopes: readonly Scope[] | undefined, expiresInDays?: number): Promise<Maker> => {
      const answer = json(await this.rig.owner.post('/api/keys', { name, ...(scopes && { scopes }), ...(expiresInDays && { expiresInDays }) })) as unknown as {
        key: string;
        expiresAt?: string;
      };
      const endsAt = answer.expiresAt === undefined ? undefined : new Date(answer.expiresAt);
      return { name, headers: { Authorization: `Bearer ${answer.key}` }, scopes: scopes ?? SCOPES, endsAt, isBrowser: false };
    };
    const now = this.rig.auth.clock.now.getTime();
    const jwt = (name: string, scopes?: readonly Scope[]): Maker => {
      const endsAt = new Date(Math.floor(now / 1_000) * 1_000 + 3_600_000);
      const claims = { iss: this.#provider.issuer, aud: this.#provider.api.audience, sub: 'the owner', exp: endsAt.getTime() / 1_000 };
      const token = this.#provider.sign({ ...claims, ...(scopes && { scope: scopes.join(' ') }) });
      return { name, headers: { Authorization: `Bearer ${token}` }, scopes: scopes ?? SCOPES, endsAt, isBrowser: false };
    };
    return [
      { name: 'a browser session', headers: await this.#page(), scopes: SCOPES, endsAt: undefined, isBrowser: true },
      ...(await Promise.all(SCOPES.map((scope) => key(`a key for ${scope}`, [scope])))),
      await key('a key for manage, for a day', ['manage'], 1),
      await key('a key for manage and read', ['manage', 'read']),
      await key('a key for all scopes by name', SCOPES),
      await key('a key without scopes', undefined),
      await key('a key without scopes, for a day', undefined, 1),
      jwt('a JWT without a scope'),
      jwt('a JWT for manage', ['manage']),
      jwt('a JWT for read', ['read']),
    ];
  }

  /** What this key or token is good for; nothing when it was not made. */
  async judgeToken(maker: Maker, token: string | undefined): Promise<readonly Made[]> {
    if (token === undefined) return [];
    const scopes = await this.#scopesOf(token);
    if (scopes.length === 0) return [];
    const { clock } = this.rig.auth;
    const then = clock.now;
    clock.now = new Date((maker.endsAt ?? then).getTime() + 6_000);
    const outlives = (await this.#scopesOf(token)).length > 0;
    clock.now = then;
    return [{ scopes, outlives }];
  }

  /** A browser session, when this answer or the sign-in that follows opens one. */
  async judgeBrowser(browser: Browser): Promise<readonly Made[]> {
    return (await browser.get('/api/me')).status === 200 ? [PERSON] : [];
  }

  /** How somebody comes in has changed: worth as much as they are. */
  judgeChange(hasChanged: boolean): readonly Made[] {
    return hasChanged ? [PERSON] : [];
  }

  async visit(url: string | undefined): Promise<Browser> {
    if (url === undefined) return this.rig.stranger();
    const { pathname, search } = new URL(url);
    const session = (await this.rig.ask('GET', `${pathname}${search}`)).headers['set-cookie']?.find((line) => line.includes('session_token='));
    return new Browser(this.rig, session && cookiePair(session));
  }

  /** The first owner's account at the identity provider. */
  async connect(): Promise<void> {
    await this.sql(
      'insert into accounts (id, account_id, provider_id, user_id) values (gen_random_uuid(), $1, $2, $3) on conflict do nothing',
      'the owner',
      this.#provider.issuer,
      this.ownerId,
    );
  }

  async isConnected(): Promise<boolean> {
    return (await this.sql('select 1 from accounts where user_id = $1 and provider_id = $2', this.ownerId, this.#provider.issuer)).length > 0;
  }

  async withoutPassword(): Promise<void> {
    await this.sql(`delete from accounts where user_id = $1 and provider_id = 'credential'`, this.ownerId);
  }

  /** The first owner has a password, and no second factor. */
  async withPassword(): Promise<void> {
    await this.withoutPassword();
    await this.sql('delete from second_factors where user_id = $1', this.ownerId);
    await this.sql(`update users set email = 'owner@example.org' where id = $1`, this.ownerId);
    const { hashPassword } = await import('better-auth/crypto');
    this.#passwordHash ??= await hashPassword(PASSWORD);
    await this.sql(
      `insert into accounts (id, account_id, provider_id, user_id, password) values (gen_random_uuid(), $1::text, 'credential', $1::uuid, $2)`,
      this.ownerId,
      this.#passwordHash,
    );
  }

  /** And the second factor is begun; a code of it. */
  async withBegun(): Promise<string> {
    await this.withPassword();
    const { secret } = json(await this.rig.owner.post(FACTOR, { password: PASSWORD })) as unknown as { secret: string };
    return codeAt(base32.decode(secret), this.rig.auth.clock.now);
  }

  /** And it is on; a code on paper. */
  async withFactor(): Promise<string> {
    const answer = await this.rig.owner.post(`${FACTOR}/confirm`, { code: await this.withBegun() });
    return (json(answer) as unknown as { recoveryCodes: string[] }).recoveryCodes[0] ?? '';
  }

  /** The second factor of a person, and their codes on paper: anything that changes with a change of it. */
  async factorOf(userId: string): Promise<string> {
    const rows = await this.sql(
      `select secret_id, confirmed_at, array(select hash from recovery_codes where recovery_codes.user_id = $1 and used_at is null order by hash) as codes
       from second_factors where user_id = $1`,
      userId,
    );
    return JSON.stringify(rows);
  }

  /** A page in the desktop window, with all that it sends. */
  async #page(): Promise<Record<string, string>> {
    const session = String(this.rig.owner.cookie);
    const me = await this.rig.ask('GET', '/api/me', { Cookie: session, 'Sec-Fetch-Site': 'same-origin' });
    const csrf = cookiePair(String(me.headers['set-cookie']?.find((line) => line.includes('.csrf='))));
    return {
      ...{ Cookie: `${session}; ${csrf}`, Origin: this.rig.origin, 'X-Requested-With': 'tendon' },
      ...{ 'User-Agent': DESKTOP, 'X-CSRF-Token': csrf.slice(csrf.indexOf('=') + 1) },
    };
  }

  async #scopesOf(token: string): Promise<readonly Scope[]> {
    const scopes = new Set<Scope>();
    for (const namespace of ['/agent', '/gateway', 'http'] as const) {
      const headers = { origin: this.rig.origin, host: `127.0.0.1:${this.rig.port}` };
      // Each from another address: what is not good for something is no guess.
      this.#probes += 1;
      const address = `10.0.${this.#probes >> 8}.${this.#probes & 255}`;
      const decision = await this.rig.auth.auth.authenticate({ token, headers, address, namespace });
      // The key of a machine has no scopes: it is told of everything that its person has done there.
      if (decision.ok) for (const scope of decision.principal.scopes ?? SCOPES) scopes.add(scope);
    }
    return [...scopes];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rig[Symbol.asyncDispose]();
    await this.#provider[Symbol.asyncDispose]();
  }
}
