/** A statement that each connection prepares once, under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Calls that are not over. The words are those of the partial indexes. */
export const OPEN_STATES = `('awaiting_approval', 'awaiting_answer', 'queued', 'running')`;

/** A node that has not renewed its lease for so long has lost it. */
export const LEASE = `interval '10 seconds'`;
