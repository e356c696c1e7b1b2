import type { Statement } from './statement.ts';

/** $1 session, $2 seq that it begins after, $3 limit: the newest ones. */
export const readHistory: Statement = {
  name: 'read_history',
  text: `
with page as (
  select * from messages where session_id = $1 and state <> 'queued' and seq > $2 order by seq desc limit $3)
select
  (select json_agg(row_to_json(p) order by p.seq) from page p) as messages,
  (select json_agg(row_to_json(c) order by c.ordinal) from calls c
    where c.session_id = $1 and c.message_id in (select id from page)) as calls`,
};
