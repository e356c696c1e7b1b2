import { LEASE, type Statement } from './statement.ts';

/**
 * Everything that one input does, or nothing: the rows hang on the update of the session, and that one on the version and the lease
 * that the decision was made on (I5). JSON columns travel as text inside the parameters, because jsonb refuses some of it.
 * $1 session, $2 version, $3 and $4 epoch and node of the lease as loaded, $5 this node,
 * $6 session fields, $7 removed messages, $8 messages, $9 calls, $10 events, $11 rules.
 */
export const writeChange: Statement = {
  name: 'write_change',
  text: `
with fenced as (
  update sessions s set
    title = p.title, model = p.model, gateway_id = p.gateway_id, workspace = p.workspace, archived = p.archived,
    updated_at = p.updated_at, seq = p.seq, stop_generation = p.stop_generation, held = p.held,
    turn_partial = case when s.turn_message_id = p.turn_message_id then s.turn_partial end,
    turn_message_id = p.turn_message_id, turn_epoch = p.turn_epoch, turn_started_at = p.turn_started_at,
    steps = p.steps, last_error = p.last_error::json, usage = p.usage::json,
    status = p.status, waiting_approvals = p.waiting_approvals, waiting_answers = p.waiting_answers,
    stopping = p.stopping, queue_length = p.queue_length, owes = p.owes, version = s.version + 1,
    lease_epoch = p.lease_epoch,
    lease_node = case p.lease when 'hold' then $5 when 'drop' then null else s.lease_node end,
    lease_expires_at = case p.lease when 'hold' then clock_timestamp() + ${LEASE} when 'drop' then null else s.lease_expires_at end
  from jsonb_to_record($6::jsonb) as p(
    title text, model text, gateway_id uuid, workspace text, archived boolean, updated_at timestamptz, seq integer,
    stop_generation integer, held boolean, turn_message_id uuid, turn_epoch integer, turn_started_at timestamptz, steps integer,
    last_error text, usage text, status text, waiting_approvals integer, waiting_answers integer, stopping boolean,
    queue_length integer, owes boolean, lease text, lease_epoch integer)
  where s.id = $1 and s.version = $2 and s.lease_epoch = $3 and s.lease_node is not distinct from $4
  returning s.id, s.version
), removed as (
  delete from messages m using fenced f where m.session_id = f.id and m.id = any($7::uuid[])
), put_messages as (
  insert into messages (id, session_id, seq, role, state, parts, model, usage, created_at, accepted_seq, was_queued, queue_rank)
  select m.id, f.id, m.seq, m.role, m.state, m.parts::json, m.model, m.usage::json, m.created_at, m.accepted_seq, m.was_queued, m.queue_rank
  from fenced f, jsonb_to_recordset($8::jsonb) as m(
    id uuid, seq integer, role text, state text, parts text, model text, usage text, created_at timestamptz,
    accepted_seq integer, was_queued boolean, queue_rank integer)
  on conflict on constraint messages_of_session do update set
    seq = excluded.seq, state = excluded.state, parts = excluded.parts, usage = excluded.usage, queue_rank = excluded.queue_rank
), put_calls as (
  insert into calls (id, session_id, message_id, tool, kind, effect, input, input_hash, state, gateway_id, workspace, definition, decision, result, resolution,
    created_at, started_at, finished_at, dispatch_attempt, dispatch_instance_id, dispatch_stop_generation, dispatched_at,
    cancel_requested_at, metadata)
  select c.id, f.id, c.message_id, c.tool, c.kind, c.effect, c.input::json, c.input_hash, c.state, c.gateway_id, c.workspace, c.definition,
    c.decision::json, c.result::json, c.resolution::json, c.created_at, c.started_at, c.finished_at, c.dispatch_attempt, c.dispatch_instance_id,
    c.dispatch_stop_generation, c.dispatched_at, c.cancel_requested_at, c.metadata::json
  from fenced f, rows from (jsonb_to_recordset($9::jsonb) as (
    id uuid, message_id uuid, tool text, kind text, effect text, input text, input_hash text, state text, gateway_id uuid,
    workspace text, definition text, decision text, result text, resolution text, created_at timestamptz, started_at timestamptz, finished_at timestamptz,
    dispatch_attempt integer, dispatch_instance_id uuid, dispatch_stop_generation integer, dispatched_at timestamptz,
    cancel_requested_at timestamptz, metadata text)) with ordinality as c
  order by c.ordinality
  on conflict (id) do update set
    state = excluded.state, decision = excluded.decision, result = excluded.result, resolution = excluded.resolution, started_at = excluded.started_at,
    finished_at = excluded.finished_at, dispatch_attempt = excluded.dispatch_attempt,
    dispatch_instance_id = excluded.dispatch_instance_id, dispatch_stop_generation = excluded.dispatch_stop_generation,
    dispatched_at = excluded.dispatched_at, cancel_requested_at = excluded.cancel_requested_at
), put_events as (
  insert into session_events (session_id, seq, at, type, data)
  select f.id, e.seq, e.at, e.type, e.data::json
  from fenced f, jsonb_to_recordset($10::jsonb) as e(seq integer, at timestamptz, type text, data text)
), put_rules as (
  insert into permission_rules (id, owner_id, tool, subject, workspace, gateway_id, definition, session_id, created_at)
  select r.id, r.owner_id, r.tool, r.subject, r.workspace, r.gateway_id, r.definition, r.session_id, r.created_at
  from fenced f, jsonb_to_recordset($11::jsonb) as r(
    id uuid, owner_id uuid, tool text, subject text, workspace text, gateway_id uuid, definition text,
    session_id uuid, created_at timestamptz)
)
select version from fenced`,
};
