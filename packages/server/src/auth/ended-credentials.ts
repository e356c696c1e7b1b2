import type { Pool } from 'pg';
import type { Log } from '../log.ts';
import { oldestOpening } from './session-lifetime.ts';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Half of the two seconds of H14: the other half is for asking. */
const SWEEP_MS = 1_000;

/** Whose JWTs these connections stand on, and who of them is kept out by now. The tokens themselves end by themselves. */
async function keptOutAmong(pool: Pick<Pool, 'query'>, ids: readonly string[]): Promise<readonly string[]> {
  const users = ids.filter((id) => id.startsWith('jwt:')).map((id) => id.slice('jwt:'.length));
  if (users.length === 0) return [];
  const { rows } = await pool.query<{ id: string }>('select id from users where id = any($1::uuid[]) and disabled_at is not null', [users]);
  return rows.map(({ id }) => `jwt:${id}`);
}

/** Which of these keys and browser sessions are over, or their person is kept out. */
async function endedAmong(pool: Pick<Pool, 'query'>, ids: readonly string[], now: Date): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select given.id from unnest($1::uuid[]) as given (id)
     where not exists (select from api_keys join users on users.id = user_id and disabled_at is null
         where api_keys.id = given.id and revoked_at is null and (expires_at is null or expires_at > $2))
       and not exists (select from auth_sessions join users on users.id = user_id and disabled_at is null
         where auth_sessions.id = given.id and expires_at > $2 and auth_sessions.created_at > $3)`,
    [ids, now, oldestOpening(now)],
  );
  return rows.map(({ id }) => id);
}

/** Whether this one, which was good a while ago, is over. That a JWT runs out is left to whoever looks at it. */
export async function hasEnded(pool: Pick<Pool, 'query'>, credentialId: string, now: Date): Promise<boolean> {
  const ended = UUID.test(credentialId) ? await endedAmong(pool, [credentialId], now) : await keptOutAmong(pool, [credentialId]);
  return ended.length > 0;
}

export interface EndedCredentialsOptions {
  readonly pool: Pick<Pool, 'query'>;
  /** The credentials that connections stand on now. */
  readonly inUse: () => readonly string[];
  readonly onEnded: (credentialId: string) => void;
  readonly now: () => Date;
  readonly log: Log;
  /** Calls `work` every so often until what it gives back is called. */
  readonly every?: (ms: number, work: () => void) => () => void;
}

/**
 * Finds out by asking what nobody told: that a key or browser session was ended at another node, whose notice was lost, or in the database
 * itself. With it a revocation holds everywhere within two seconds (I14).
 */
export class EndedCredentials {
  readonly #options: EndedCredentialsOptions;
  #stop: (() => void) | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: EndedCredentialsOptions) {
    this.#options = options;
  }

  start(): void {
    const { every = byTimer } = this.#options;
    this.#stop = every(SWEEP_MS, () => void this.look());
  }

  /** Looks once; a look that is under way counts. Never rejects: the next one is a second away. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async close(): Promise<void> {
    this.#stop?.();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { pool, inUse, onEnded, now, log } = this.#options;
    const used = inUse();
    const ids = used.filter((id) => UUID.test(id));
    try {
      for (const id of await keptOutAmong(pool, used)) onEnded(id);
      if (ids.length > 0) for (const id of await endedAmong(pool, ids, now())) onEnded(id);
    } catch (error) {
      log.warn({ component: 'auth', err: error }, 'whether credentials have ended could not be looked up');
    }
  }
}

function byTimer(ms: number, work: () => void): () => void {
  const timer = setInterval(work, ms).unref();
  return () => clearInterval(timer);
}
