import type { Statement } from './statement.ts';

/** $1 id, $2 owner, $3 title, $4 model, $5 machine, $6 folder, $7 time, $8 usage, $9 data of the first event. */
export const createSession: Statement = {
  name: 'create_session',
  text: `
with created as (
  insert into sessions (id, owner_id, title, model, gateway_id, workspace, archived, created_at, updated_at, seq, stop_generation, held,
    steps, usage, status, waiting_approvals, waiting_answers, stopping, queue_length, owes)
  values ($1, $2, $3, $4, $5, $6, false, $7::timestamptz, $7, 1, 0, false, 0, $8::json, 'idle', 0, 0, false, 0, false)
  returning id)
insert into session_events (session_id, seq, at, type, data)
select id, 1, $7, 'session.updated', $9::json from created`,
};
