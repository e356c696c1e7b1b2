import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from '../log.ts';
import { StartError } from '../start-error.ts';
import type { Keyring } from './keyring.ts';

/** Any two numbers, the same in every node: the first parts of the advisory locks that say what a node seals with, and what it opens. */
const SEALS = 1_952_805_377;
const OPENS = 1_952_805_378;
const LONGEST_PAUSE_MS = 5_000;
/** One that is not answered would neither hold its locks nor try again. */
const ANSWER_LIMIT_MS = 10_000;
/** A host that is gone without a word is noticed by the database within half a minute. */
const SESSION = '-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c idle_session_timeout=0';

const DIFFERENT = [
  'Another server on this database has another secret key: what one of the two seals, the other could not open.',
  'Give all of them the same TENDON_SECRET_KEY.',
  'To change it, give the new key to each as TENDON_SECRET_KEY_PREVIOUS first, then exchange the two.',
].join(' ');

interface Node {
  readonly seals: Set<number>;
  readonly opens: Set<number>;
}

/**
 * Keeps servers with different secret keys off one database. Each node that lives holds advisory locks that name its keys; they end with its
 * connection, however it dies. Two nodes agree when each opens what the other seals.
 *
 *   (new) ── join ──► joined ──connection lost──► joining again ──► joined
 *              └── a living node has other keys ──► StartError
 */
export class KeyAgreement {
  readonly #url: string;
  readonly #own: { readonly seals: number; readonly opens: readonly number[] };
  readonly #log: Log;
  readonly #closing = new AbortController();
  #client: pg.Client | undefined;
  #joining: Promise<void> | undefined;

  constructor({ url, keyring, log }: { url: string; keyring: Keyring; log: Log }) {
    this.#url = url;
    this.#own = { seals: numberOf(keyring.currentId), opens: keyring.ids.map(numberOf) };
    this.#log = log;
  }

  /** Throws StartError when a living node has other keys. */
  async join(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      keepAlive: true,
      connectionTimeoutMillis: ANSWER_LIMIT_MS,
      query_timeout: ANSWER_LIMIT_MS,
      application_name: 'tendon keys',
      options: SESSION,
    });
    let isJoined = false;
    const lost = () => {
      if (isJoined) this.#joinAgain();
      isJoined = false;
    };
    client.on('error', lost);
    client.on('end', lost);
    await client.connect();
    try {
      // First said, then looked: of two that start at once at least one sees the other.
      for (const key of this.#own.opens) await client.query('select pg_advisory_lock_shared($1::int, $2::int)', [OPENS, key]);
      await client.query('select pg_advisory_lock_shared($1::int, $2::int)', [SEALS, this.#own.seals]);
      const others = await livingNodes(client);
      if (!others.every((other) => agree(this.#own, other))) throw new StartError(DIFFERENT);
      isJoined = true;
      this.#client = client;
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#client?.end().catch(() => undefined);
    await this.#joining;
  }

  #joinAgain(): void {
    this.#client = undefined;
    this.#joining ??= this.#tryUntilJoined().finally(() => {
      this.#joining = undefined;
    });
  }

  async #tryUntilJoined(): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted && !this.#client; attempt += 1) {
      await pause(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** attempt), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.join().catch((error: unknown) => {
        // It has served before: it goes on, and the one that came meanwhile with other keys is named.
        if (error instanceof StartError) this.#log.error({ component: 'secrets' }, DIFFERENT);
      });
    }
    if (signal.aborted) await this.#client?.end().catch(() => undefined);
  }
}

async function livingNodes(client: pg.Client): Promise<readonly Node[]> {
  const { rows } = await client.query<{ pid: number; kind: number; key: number }>(
    `select pid, classid::bigint::int as kind, (objid::bigint::bit(32))::int as key from pg_locks
     where locktype = 'advisory' and objsubid = 2 and granted and classid in ($1, $2) and pid <> pg_backend_pid()
       and database = (select oid from pg_database where datname = current_database())`,
    [SEALS, OPENS],
  );
  const nodes = new Map<number, Node>();
  for (const { pid, kind, key } of rows) {
    const node = nodes.get(pid) ?? { seals: new Set(), opens: new Set() };
    nodes.set(pid, node);
    (kind === SEALS ? node.seals : node.opens).add(key);
  }
  return [...nodes.values()];
}

/** One that is still joining has not said yet what it seals with: it will look itself. */
function agree(own: { readonly seals: number; readonly opens: readonly number[] }, other: Node): boolean {
  if (other.seals.size === 0) return true;
  return other.opens.has(own.seals) && [...other.seals].every((key) => own.opens.includes(key));
}

/** The first half of a fingerprint as PostgreSQL's int4. */
function numberOf(keyId: string): number {
  return Buffer.from(keyId.slice(0, 8), 'hex').readInt32BE();
}
