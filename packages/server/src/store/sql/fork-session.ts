import { OPEN_STATES, type Statement } from './statement.ts';

/** A UUID of version 7: the time, then chance. PostgreSQL makes them itself only from 18 on. */
const NEW_ID = `encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
  placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid`;

/**
 * A session of its own with the history of another up to a place, in one statement and without a row leaving the database.
 * $1 the new session, $2 the old one, $3 owner, $4 the last seq that is taken over, $5 title, $6 time, $7 usage, $8 the new session's seq,
 * $9 data of its first event. Messages and calls get ids of their own. What names a call in a message is put exactly as it is written there,
 * for SQL does not look into these columns. Nothing is made when a call is not over (`open`) or was not found so (`unnamed`).
 */
export const forkSession: Statement = {
  name: 'fork_session',
  text: `
with source as (
  select * from sessions where id = $2 and owner_id = $3
), kept as materialized (
  select m.*, ${NEW_ID} as new_id from messages m join source s on m.session_id = s.id where m.state <> 'queued' and m.seq <= $4
), kept_calls as materialized (
  select c.*, ${NEW_ID} as new_id, k.new_id as new_message_id from calls c join kept k on c.session_id = k.session_id and c.message_id = k.id
), open as (
  select count(*)::int as count from kept_calls where state in ${OPEN_STATES}
), named as materialized (
  select k.id as message_id, p.place, c.id as call_id,
    case when c.id is null then p.part else ('{"type":"tool_call","callId":"' || c.new_id || '"}')::json end as part
  from kept k cross join lateral json_array_elements(k.parts) with ordinality as p(part, place)
  left join kept_calls c on c.message_id = k.id and p.part::text = '{"type":"tool_call","callId":"' || c.id || '"}'
), unnamed as (
  select (select count(*) from kept_calls)::int - (select count(*) from named where call_id is not null)::int as count
), forked as (
  insert into sessions (id, owner_id, title, model, gateway_id, workspace, archived, created_at, updated_at, seq, stop_generation, held,
    steps, usage, status, waiting_approvals, waiting_answers, stopping, queue_length, owes)
  select $1, s.owner_id, $5, s.model, s.gateway_id, s.workspace, false, $6::timestamptz, $6, $8, 0, false, 0, $7::json, 'idle', 0, 0, false, 0, false
  from source s, open, unnamed where open.count = 0 and unnamed.count = 0
  returning id
), put_messages as (
  insert into messages (id, session_id, seq, role, state, parts, model, usage, created_at, accepted_seq, was_queued, queue_rank)
  select k.new_id, f.id, k.seq, k.role, k.state,
    coalesce((select json_agg(n.part order by n.place) from named n where n.message_id = k.id), '[]'::json),
    k.model, k.usage, k.created_at, k.accepted_seq, k.was_queued, k.queue_rank
  from kept k, forked f
), put_calls as (
  insert into calls (id, session_id, message_id, tool, kind, effect, input, input_hash, state, gateway_id, workspace, decision, result, resolution,
    created_at, started_at, finished_at, metadata)
  select c.new_id, f.id, c.new_message_id, c.tool, c.kind, c.effect, c.input, c.input_hash, c.state, c.gateway_id, c.workspace, c.decision, c.result,
    c.resolution, c.created_at, c.started_at, c.finished_at, c.metadata
  from kept_calls c, forked f order by c.ordinal
), put_event as (
  insert into session_events (session_id, seq, at, type, data) select f.id, $8, $6, 'session.updated', $9::json from forked f
)
select (select count(*) from forked)::int as made, (select count from open) as open, (select count from unnamed) as unnamed`,
};
