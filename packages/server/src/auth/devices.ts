import type { Pool } from 'pg';
import { lastMomentOf, oldestOpening } from './session-lifetime.ts';

/** A browser that is signed in. */
export interface Device {
  /** The id of its browser session. */
  readonly id: string;
  /** As it named itself when it signed in; anything may stand here. */
  readonly userAgent: string;
  /** Where it signed in from; empty when that is not known. */
  readonly address: string;
  readonly signedInAt: Date;
  /** Noted at most once a day. */
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
  /** However much it is used. */
  readonly lastMoment: Date;
}

interface Row {
  id: string;
  user_agent: string | null;
  ip_address: string | null;
  created_at: Date;
  updated_at: Date;
  expires_at: Date;
}

export interface DevicesOptions {
  readonly pool: Pick<Pool, 'query'>;
  readonly now: () => Date;
  /** Told of each that has just been ended. */
  readonly onEnded: (id: string) => void;
}

/** The browser sessions of people, as they are listed and ended. Opened and extended they are by `People`. */
export class Devices {
  readonly #options: DevicesOptions;

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  /** The live ones of a person, the last used first. */
  async list(userId: string): Promise<readonly Device[]> {
    const { rows } = await this.#options.pool.query<Row>(
      `select id, user_agent, ip_address, created_at, updated_at, expires_at from auth_sessions
       where user_id = $1 and expires_at > $2 and created_at > $3 order by updated_at desc, id desc limit 1000`,
      [userId, this.#options.now(), oldestOpening(this.#options.now())],
    );
    return rows.map(fromRow);
  }

  /** Signs one of this person's out. False when it is not theirs, or already over. */
  async end(userId: string, id: string): Promise<boolean> {
    const { rowCount } = await this.#options.pool.query('delete from auth_sessions where user_id = $1 and id = $2', [userId, id]);
    if (rowCount === 1) this.#options.onEnded(id);
    return rowCount === 1;
  }

  /** Signs all of this person's out but one. How many those were. */
  async endOthers(userId: string, keptId: string | undefined): Promise<number> {
    const { rows } = await this.#options.pool.query<{ id: string }>('delete from auth_sessions where user_id = $1 and id is distinct from $2 returning id', [
      userId,
      keptId ?? null,
    ]);
    for (const { id } of rows) this.#options.onEnded(id);
    return rows.length;
  }
}

function fromRow(row: Row): Device {
  return {
    id: row.id,
    userAgent: row.user_agent ?? '',
    address: row.ip_address ?? '',
    signedInAt: row.created_at,
    lastUsedAt: row.updated_at,
    expiresAt: row.expires_at,
    lastMoment: lastMomentOf(row.created_at),
  };
}
