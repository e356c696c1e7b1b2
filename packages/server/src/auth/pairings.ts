import type { Scope } from '@tendon/protocol';
import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { displayPrefix, hashCredential, newApiKey, newSecret, newUserCode, type RandomBytes } from './credentials.ts';

const LIFETIME_MS = 10 * 60_000;
/** How long a machine waits between two questions. */
const INTERVAL_MS = 5_000;
/** Codes stay too many to guess: 25,600,000,000 of them, and a person gets six wrong ones a minute. */
const MOST_WAITING = 20_000;

export interface PairingRequest {
  /** The machine that asks; undefined: a terminal. */
  readonly gatewayId: string | undefined;
  /** As it calls itself. */
  readonly name: string;
  readonly address: string;
  /** Whether it also asks for a key for its relay, with which a browser on it does what its person may. */
  readonly relay: boolean;
}

export interface StartedPairing {
  /** For the machine alone. */
  readonly deviceCode: string;
  /** For the person. */
  readonly userCode: string;
  readonly expiresInMs: number;
  readonly intervalMs: number;
}

/** What a pairing lets in. */
export type PairedKind = 'machine' | 'terminal';

/** What a person sees of a machine or a terminal that asks. */
export interface WaitingMachine {
  readonly kind: PairedKind;
  readonly name: string;
  readonly address: string;
  readonly relay: boolean;
  readonly askedAt: Date;
  readonly expiresAt: Date;
}

/** The codes of RFC 8628, section 3.5, or the key. */
export type PollAnswer =
  | { readonly code: 'authorization_pending' | 'slow_down' | 'access_denied' | 'expired_token' }
  | { readonly code: 'approved'; readonly key: string; readonly relayKey?: string; readonly userId: string; readonly gatewayId: string | undefined };

/** A terminal, and a page on a machine, shows sessions, talks and decides. Keys, people and machines are looked after at the server's own page. */
const PERSON_SCOPES: readonly Scope[] = ['read', 'write', 'approve'];

/**
 * The credential of whoever approved still holds. The command line of this machine and a server without sign-in have none that could end; a JWT, which
 * stands in no table, is not taken for an approval.
 */
const APPROVER_IS_IN = `(pairings.decided_with in ('control', 'disabled')
  or exists (select from auth_sessions where id::text = pairings.decided_with and auth_sessions.expires_at > $2)
  or exists (select from api_keys where id::text = pairings.decided_with and revoked_at is null and (api_keys.expires_at is null or api_keys.expires_at > $2)))`;

/**
 * Machines and terminals that ask to be let in (device authorization grant, RFC 8628):
 *
 *   pending ── a person approves ──► approved ── the machine asks ──► used (its key is made)
 *     │ └───── a person denies ────► denied
 *     └── 10 minutes ──► expired, in every state
 *
 * The machine holds a code of which only the hash is stored; the person types another, which opens nothing by itself.
 */
export class Pairings {
  readonly #pool: Pick<Pool, 'query'>;
  readonly #random: RandomBytes;

  constructor(pool: Pick<Pool, 'query'>, random: RandomBytes) {
    this.#pool = pool;
    this.#random = random;
  }

  /** Undefined when too many wait already. Clears away those that are over. */
  async start({ gatewayId, name, address, relay }: PairingRequest, now: Date): Promise<StartedPairing | undefined> {
    const deviceCode = newSecret(this.#random);
    await this.#pool.query('delete from pairings where expires_at < $1', [now]);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const userCode = newUserCode(this.#random);
      const { rowCount } = await this.#pool.query(
        `insert into pairings (device_hash, user_code, gateway_id, name, address, created_at, expires_at, relay)
         select $1, $2, $3, $4, $5, $6, $7, $9 where (select count(*) from pairings where state = 'pending') < $8 on conflict (user_code) do nothing`,
        [hashCredential(deviceCode), userCode, gatewayId, name, address, now, new Date(now.getTime() + LIFETIME_MS), MOST_WAITING, relay],
      );
      if (rowCount === 1) return { deviceCode, userCode, expiresInMs: LIFETIME_MS, intervalMs: INTERVAL_MS };
    }
    return undefined;
  }

  /**
   * The machine asks how it stands. An approval is used up and its keys made by one statement, while the approver's own credential holds and they are
   * not kept out. Who is kept out at this very moment waits for the lock, and the keys are revoked with the others.
   */
  async poll(deviceCode: string, now: Date): Promise<PollAnswer> {
    const hash = hashCredential(deviceCode);
    const [key, relayKey] = [newApiKey(this.#random), newApiKey(this.#random)];
    const made = await this.#pool.query<{ user_id: string; gateway_id: string | null; relay: boolean }>(
      `with person as (
         select users.id from users join pairings on pairings.user_id = users.id
         where device_hash = $1 and state = 'approved' and disabled_at is null for share of users
       ), taken as (
         update pairings set state = 'used' from person
         where user_id = person.id and device_hash = $1 and state = 'approved' and expires_at > $2 and ${APPROVER_IS_IN}
         returning user_id, gateway_id, name, relay
       ), machine as (
         insert into api_keys (id, user_id, name, kind, gateway_id, hash, prefix, created_at)
         select $3, user_id, name, 'gateway', gateway_id, $4, $5, $2 from taken where gateway_id is not null
       ), terminal as (
         insert into api_keys (id, user_id, name, kind, hash, prefix, created_at, scopes)
         select $3, user_id, left(name, 89) || ' (terminal)', 'user', $4, $5, $2, $9 from taken where gateway_id is null
       ), page as (
         insert into api_keys (id, user_id, name, kind, hash, prefix, created_at, scopes)
         select $6, user_id, left(name, 88) || ' (its page)', 'user', $7, $8, $2, $9 from taken where relay
       ) select user_id, gateway_id, relay from taken`,
      [hash, now, uuidv7(), hashCredential(key), displayPrefix(key), uuidv7(), hashCredential(relayKey), displayPrefix(relayKey), PERSON_SCOPES],
    );
    const approved = made.rows[0];
    if (approved)
      return { code: 'approved', key, ...(approved.relay ? { relayKey } : {}), userId: approved.user_id, gatewayId: approved.gateway_id ?? undefined };
    const { rows } = await this.#pool.query<{ state: string; last: Date | null }>(
      `update pairings set last_polled_at = $2 from (select device_hash, last_polled_at as last from pairings where device_hash = $1 for update) as before
       where pairings.device_hash = before.device_hash and expires_at > $2 returning state, before.last`,
      [hash, now],
    );
    const row = rows[0];
    if (!row || row.state === 'used') return { code: 'expired_token' };
    if (row.state === 'denied') return { code: 'access_denied' };
    return { code: row.last && now.getTime() - row.last.getTime() < INTERVAL_MS - 500 ? 'slow_down' : 'authorization_pending' };
  }

  /** What waits under this code; undefined when none does. */
  async find(userCode: string, now: Date): Promise<WaitingMachine | undefined> {
    const { rows } = await this.#pool.query<{ gateway_id: string | null; name: string; address: string; relay: boolean; created_at: Date; expires_at: Date }>(
      `select gateway_id, name, address, relay, created_at, expires_at from pairings where user_code = $1 and state = 'pending' and expires_at > $2`,
      [userCode, now],
    );
    const row = rows[0];
    return row && { kind: kindOf(row.gateway_id), name: row.name, address: row.address, relay: row.relay, askedAt: row.created_at, expiresAt: row.expires_at };
  }

  /** The first decision stands. Who was decided about; undefined when there is none to make any more. */
  async decide(
    userCode: string,
    { userId, credentialId, approve }: { userId: string; credentialId: string; approve: boolean },
    now: Date,
  ): Promise<Pick<WaitingMachine, 'kind' | 'name'> | undefined> {
    const { rows } = await this.#pool.query<{ gateway_id: string | null; name: string }>(
      `update pairings set state = $3, user_id = $4, decided_with = $5 where user_code = $1 and state = 'pending' and expires_at > $2 returning gateway_id, name`,
      [userCode, now, approve ? 'approved' : 'denied', userId, credentialId],
    );
    const row = rows[0];
    return row && { kind: kindOf(row.gateway_id), name: row.name };
  }
}

/** A terminal has no number of a machine. */
export function kindOf(gatewayId: string | null | undefined): PairedKind {
  return gatewayId ? 'machine' : 'terminal';
}
