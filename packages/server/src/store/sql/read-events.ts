import type { Statement } from './statement.ts';

/** $1 session, $2 seq that they begin after, $3 limit. */
export const readEvents: Statement = {
  name: 'read_events',
  text: `
select s.seq as last_seq,
  (select json_agg(row_to_json(e) order by e.seq) from (
    select * from session_events where session_id = $1 and seq > $2 order by seq limit $3) as e) as events
from sessions s where s.id = $1`,
};
