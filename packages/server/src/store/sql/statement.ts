/** A statement that each connection prepares once, under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Calls that are not over. The words are those of the partial indexes. */
export const OPEN_STATES = `('awaiting_approval', 'awaiting_answer', 'queued', 'running')`;

/** A node that has not renewed its lease for so long has lost it. */
export const LEASE = `interval '10 seconds'`;

/**
 * The newest messages of $1 that `where` lets through, at most $3 of them and about `bytes` of text with their calls, always one.
 * Bounded here and not by the reader: what the database would put together must fit into its answer and into our memory.
 */
export function newestWithin(where: string, bytes: number): string {
  return `newest as (
  select m.*, sum(octet_length(m.parts::text) + coalesce((
      select sum(octet_length(c.input::text) + coalesce(octet_length(c.result::text), 0)) from calls c where c.session_id = m.session_id and c.message_id = m.id
    ), 0)) over (order by m.seq desc) as bytes_to_end
  from (select * from messages where session_id = $1 and state <> 'queued' and ${where} order by seq desc limit $3) m
), page as (
  select * from newest where bytes_to_end <= ${bytes} or seq = (select max(seq) from newest)
)`;
}
