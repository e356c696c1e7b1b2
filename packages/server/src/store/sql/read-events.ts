import type { Statement } from './statement.ts';

/** A client that has missed more gets a page instead. */
const EVENTS_BYTES = 4 * 1024 * 1024;

/** $1 session, $2 seq that they begin after, $3 limit. What does not fit is left out at the end, so that the answer is seen to be incomplete. */
export const readEvents: Statement = {
  name: 'read_events',
  text: `
select s.seq as last_seq,
  (select json_agg(row_to_json(e) order by e.seq) from (
    select * from (
      select w.*, sum(octet_length(w.data::text)) over (order by w.seq) as bytes_so_far
      from (select * from session_events where session_id = $1 and seq > $2 order by seq limit $3) w) b
    where bytes_so_far <= ${EVENTS_BYTES}) as e) as events
from sessions s where s.id = $1`,
};
