import { newestWithin, OPEN_STATES, type Statement } from './statement.ts';

const PAGE_BYTES = 4 * 1024 * 1024;

/**
 * $1 session, $2 seq that the page ends before (null: the newest page), $3 limit. The newest page brings the queue, and the calls that
 * are not over wherever their message stands.
 */
export const readPage: Statement = {
  name: 'read_page',
  text: `
with ${newestWithin('seq < coalesce($2::integer, 2147483647)', PAGE_BYTES)}
select
  (select count(*) from newest) > (select count(*) from page) as is_cut,
  (select json_agg(row_to_json(p) order by p.seq) from page p) as messages,
  (select json_agg(row_to_json(m) order by m.queue_rank) from messages m
    where m.session_id = $1 and m.state = 'queued' and $2::integer is null) as queue,
  (select json_agg(row_to_json(c) order by c.ordinal) from calls c
    where c.session_id = $1 and (c.message_id in (select id from page) or ($2::integer is null and c.state in ${OPEN_STATES}))) as calls`,
};
