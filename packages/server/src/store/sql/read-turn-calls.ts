import type { Statement } from './statement.ts';

/** More are not undone at once; a turn has at most 200 steps. */
const MOST = 1_000;

/**
 * $1 session, $2 message: the calls of all that the agent did between the person's message before it and the next one, without their results,
 * which may be large. No row when there is no such message, or it still waits in the queue.
 */
export const readTurnCalls: Statement = {
  name: 'read_turn_calls',
  text: `
with asked as (select seq from messages where session_id = $1 and id = $2 and state <> 'queued'),
bounds as (
  select
    (select coalesce(max(m.seq), 0) from messages m where m.session_id = $1 and m.role = 'user' and m.state <> 'queued' and m.seq <= asked.seq) as first,
    (select coalesce(min(m.seq), 2147483647) from messages m where m.session_id = $1 and m.role = 'user' and m.state <> 'queued' and m.seq > asked.seq) as next
  from asked
)
select (
  select json_agg(row_to_json(found) order by found.ordinal) from (
    select c.id, c.session_id, c.message_id, c.tool, c.kind, c.effect, c.input, c.input_hash, c.state, c.gateway_id, c.workspace, c.definition, c.decision,
      null as result, null as resolution, c.created_at, c.started_at, c.finished_at, null as dispatch_attempt, null as dispatch_instance_id,
      null as dispatch_stop_generation, null as dispatched_at, null as cancel_requested_at, null as metadata, c.ordinal
    from calls c join messages m on m.id = c.message_id
    where c.session_id = $1 and m.session_id = $1 and m.seq > bounds.first and m.seq < bounds.next
    order by c.ordinal limit ${MOST}
  ) found
) as calls
from bounds`,
};
