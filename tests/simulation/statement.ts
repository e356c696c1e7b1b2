import type { CallRow, SessionRow, Tables } from './tables.ts';

/** What a statement did to a session, for those who watch over the rules. */
export interface Written {
  readonly sessionId: string;
  readonly before: SessionRow;
  readonly after: SessionRow;
  readonly callsBefore: ReadonlyMap<string, CallRow['state']>;
  /** Version, epoch and node of the lease that the decision was made on. */
  readonly basis: { readonly version: number; readonly epoch: number; readonly node: string | null };
  readonly node: string;
}

export interface Moment {
  readonly tables: Tables;
  readonly nowMs: number;
  readonly written: (written: Written) => void;
  readonly partialSaved: (sessionId: string, messageId: string) => void;
  readonly forked: (sourceId: string, forkId: string) => void;
}

export interface Answer {
  readonly rows: readonly unknown[];
  readonly rowCount: number;
}

export type Values = readonly unknown[];
export const rows = (list: readonly unknown[]): Answer => ({ rows: list, rowCount: list.length });
export const text = (value: unknown): string => (typeof value === 'string' ? value : '');
