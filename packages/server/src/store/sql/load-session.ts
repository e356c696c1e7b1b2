import { OPEN_STATES, type Statement } from './statement.ts';

/** A queued message that was taken back has no row; of these events it is known still, for whoever sends it again. */
const REMEMBERED_EVENTS = 500;

/** $1 session, $2 owner or null, $3 message in focus or null, $4 call in focus or null. One statement, so one moment. */
export const loadSession: Statement = {
  name: 'load_session',
  text: `
select row_to_json(s) as session,
  coalesce(s.lease_expires_at < clock_timestamp(), true) as is_free,
  (select json_agg(row_to_json(c) order by c.ordinal) from calls c where c.session_id = s.id and c.state in ${OPEN_STATES}) as calls,
  (select json_agg(row_to_json(m) order by m.queue_rank) from messages m where m.session_id = s.id and m.state = 'queued') as queue,
  (select row_to_json(m) from messages m where m.id = $3::uuid) as focus_message,
  (select row_to_json(c) from calls c where c.id = $4::uuid) as focus_call,
  case when $3::uuid is not null and not exists (select from messages m where m.id = $3::uuid) then (
    with newest as (select * from session_events e where e.session_id = s.id order by e.seq desc limit ${REMEMBERED_EVENTS})
    select json_build_object('seq', placed.seq, 'message', placed.data -> 'message') from newest placed
    where placed.type = 'message.created' and placed.data -> 'message' ->> 'id' = ($3::uuid)::text
      and exists (select from newest gone where gone.type = 'message.removed' and gone.data ->> 'messageId' = ($3::uuid)::text)
  ) end as focus_removed
from sessions s
where s.id = $1 and ($2::uuid is null or s.owner_id = $2)`,
};
