export { createStore, type Store } from './create-store.ts';
export { connect, type Database } from './database.ts';
export { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded/embedded-postgres.ts';
export { isMigrated, migrate, schemaFingerprint } from './migrate.ts';
export type { QueryCounter } from './query-counter.ts';
export type {
  CommitOutcome,
  CommitRequest,
  Committed,
  Decide,
  GatewayStore,
  HistoryPage,
  HistoryRows,
  Lease,
  NewSession,
  SessionPlace,
  SessionStore,
  StoredGateway,
} from './session-store.ts';
