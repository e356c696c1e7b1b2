import type { Log } from '@tendon/protocol';
import pg from 'pg';
import { countingClient, type QueryCounter } from './query-counter.ts';

/** The connections to one PostgreSQL, embedded or not. */
export interface Database {
  /** Holds the password: never to be shown. */
  readonly url: string;
  readonly pool: pg.Pool;
  /** Everything that was sent, by whomever: tests hold it against budgets. */
  readonly queries: QueryCounter;
  /** Host and port, without user and password: for messages. */
  readonly address: string;
  close(): Promise<void>;
}

const POOL_SIZE = 20;
/** With many at work each waits its turn for a connection, and the database is none the worse for it. */
const WAITS = { connectMs: 5_000, turnMs: 15_000 };
/** The server gives a statement up after this; the client a little later, when not even that came back. */
const STATEMENT_LIMIT_MS = 15_000;
const ANSWER_LIMIT_MS = 20_000;

/** Opens nothing yet: connections are made when they are first needed. A lost idle connection is logged and replaced, never thrown. */
export function connect(url: string, log: Log, waits: typeof WAITS = WAITS): Database {
  const queries: QueryCounter = { total: 0 };
  const pool = new pg.Pool({
    connectionString: url,
    Client: countingClient(queries, waits.connectMs),
    max: POOL_SIZE,
    idleTimeoutMillis: 60_000,
    connectionTimeoutMillis: waits.turnMs,
    statement_timeout: STATEMENT_LIMIT_MS,
    query_timeout: ANSWER_LIMIT_MS,
    idle_in_transaction_session_timeout: STATEMENT_LIMIT_MS,
    keepAlive: true,
    application_name: 'tendon',
    // Our statements are few and prepared: planning them anew costs more than any better plan gives back.
    options: '-c plan_cache_mode=force_generic_plan',
  });
  let closing: Promise<void> | undefined;
  // While it closes, the database may go before the last connection has.
  pool.on('error', (error) => (closing ? undefined : log.warn({ err: error }, 'an idle database connection was lost')));
  // The pool hears of the end of those that are idle alone. Of one that is in use, whatever was asked on it hears.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return {
    url,
    pool,
    queries,
    address: addressOf(url),
    close: () => {
      closing ??= pool.end();
      return closing;
    },
  };
}

function addressOf(url: string): string {
  if (!URL.canParse(url)) return 'the given address';
  const { hostname, port, searchParams } = new URL(url);
  return searchParams.get('host') ?? `${hostname}:${port || 5432}`;
}
