import { newestWithin, type Statement } from './statement.ts';

/** Far more than any model is sent. */
const HISTORY_BYTES = 16 * 1024 * 1024;

/** $1 session, $2 seq that it begins after, $3 limit: the newest ones. */
export const readHistory: Statement = {
  name: 'read_history',
  text: `
with ${newestWithin('seq > $2', HISTORY_BYTES)}
select
  (select count(*)::int from calls c where c.session_id = $1 and c.resolution is not null) as settled,
  (select json_agg(row_to_json(p) order by p.seq) from page p) as messages,
  (select json_agg(row_to_json(c) order by c.ordinal) from calls c
    where c.session_id = $1 and c.message_id in (select id from page)) as calls`,
};
