import { OPEN_STATES, type Statement } from './statement.ts';

/**
 * The id of a copy: a UUID of version 7, of the fork's moment and a hash of what it is copied from, so that a message and the call that it
 * names come to the same id without being looked up.
 */
const copyOf = (id: string): string => `(lpad(to_hex((extract(epoch from $6::timestamptz) * 1000)::bigint), 12, '0')
  || '7' || substr(md5($1::text || ${id}), 1, 3) || '8' || substr(md5($1::text || ${id}), 4, 15))::uuid`;

const NAME = '{"type":"tool_call","callId":"';
/** As every message is written: nothing but the name of a call. */
const isName = `p.part::text ~ '^\\{"type":"tool_call","callId":"[0-9a-f-]{36}"\\}$'`;
const named = `substr(p.part::text, ${NAME.length + 1}, 36)`;

/**
 * A session of its own with the history of another up to a place, in one statement and without a row leaving the database.
 * $1 the new session, $2 the old one, $3 owner, $4 the last seq that is taken over, $5 title, $6 time, $7 usage, $8 the new session's seq,
 * $9 data of its first event. Nothing is made when a call is not over (`open`), or when messages do not name just the calls there are (`unnamed`).
 * Rows are found by keys alone and never by each other: a plan that knows no numbers would compare all with all.
 */
export const forkSession: Statement = {
  name: 'fork_session',
  text: `
with source as (
  select * from sessions where id = $2 and owner_id = $3
), kept as materialized (
  select m.* from source s join messages m on m.session_id = s.id where m.state <> 'queued' and m.seq <= $4
), kept_calls as materialized (
  select c.* from source s join calls c on c.session_id = s.id join messages m on m.id = c.message_id where m.state <> 'queued' and m.seq <= $4
), found as (
  select (select count(*) from kept_calls where state in ${OPEN_STATES})::int as open,
    (select count(*) from kept_calls)::int - (select count(*) from kept k, json_array_elements(k.parts) as p(part) where ${isName})::int as unnamed
), forked as (
  insert into sessions (id, owner_id, title, model, gateway_id, workspace, archived, created_at, updated_at, seq, stop_generation, held,
    steps, usage, status, waiting_approvals, waiting_answers, stopping, queue_length, owes)
  select $1, s.owner_id, $5, s.model, s.gateway_id, s.workspace, false, $6::timestamptz, $6, $8, 0, false, 0, $7::json, 'idle', 0, 0, false, 0, false
  from source s, found where found.open = 0 and found.unnamed = 0
  returning id
), put_messages as (
  insert into messages (id, session_id, seq, role, state, parts, model, usage, created_at, accepted_seq, was_queued, queue_rank)
  select ${copyOf('k.id::text')}, f.id, k.seq, k.role, k.state,
    coalesce((
      select json_agg(case when ${isName} then ('${NAME}' || ${copyOf(named)} || '"}')::json else p.part end order by p.place)
      from json_array_elements(k.parts) with ordinality as p(part, place)), '[]'::json),
    k.model, k.usage, k.created_at, k.accepted_seq, k.was_queued, k.queue_rank
  from kept k, forked f
), put_calls as (
  insert into calls (id, session_id, message_id, tool, kind, effect, input, input_hash, state, gateway_id, workspace, definition, decision, result, resolution,
    created_at, started_at, finished_at, metadata)
  select ${copyOf('c.id::text')}, f.id, ${copyOf('c.message_id::text')}, c.tool, c.kind, c.effect, c.input, c.input_hash, c.state, c.gateway_id,
    c.workspace, c.definition, c.decision, c.result, c.resolution, c.created_at, c.started_at, c.finished_at, c.metadata
  from kept_calls c, forked f order by c.ordinal
), put_event as (
  insert into session_events (session_id, seq, at, type, data) select f.id, $8, $6, 'session.updated', $9::json from forked f
)
select (select count(*) from forked)::int as made, open, unnamed from found`,
};
