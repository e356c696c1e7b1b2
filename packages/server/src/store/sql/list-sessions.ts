import type { Statement } from './statement.ts';

/** $1 owner, $2 and $3 where the last page ended (time and id), $4 limit. Newest first, by the index that has this order. */
export const listSessions: Statement = {
  name: 'list_sessions',
  text: `
select row_to_json(s) as session from (
  select id, title, status, model, gateway_id, workspace, archived, seq, created_at, updated_at, last_error, stopping, held,
    queue_length, waiting_approvals, waiting_answers, usage
  from sessions
  where owner_id = $1 and (updated_at, id) < (coalesce($2::timestamptz, 'infinity'), coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
  order by updated_at desc, id desc limit $4) as s`,
};
