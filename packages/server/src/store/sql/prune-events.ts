import type { Statement } from './statement.ts';

/** A session's newest events stay, however old: a client that was away for a moment catches up with a session that rested for a year. */
const KEPT_EVENTS = 100;
/** A statement looks at so many sessions and deletes so many events, whatever stands in the tables. */
const SESSIONS_AT_ONCE = 200;
export const PRUNED_AT_ONCE = 5_000;

/**
 * $1 the session to begin after, $2 what happened before this moment goes.
 * Only primary keys are walked, and rows are deleted by their place: a plan that knows no numbers would scan the table.
 */
export const pruneEvents: Statement = {
  name: 'prune_events',
  text: `
with batch as materialized (
  select id, seq from sessions where id > $1 order by id limit ${SESSIONS_AT_ONCE}
), old as (
  select e.place from batch b
  cross join lateral (
    select at from session_events where session_id = b.id order by seq limit 1) as first
  cross join lateral (
    select ctid as place from session_events
    where session_id = b.id and seq <= b.seq - ${KEPT_EVENTS} and at < $2 order by seq limit ${PRUNED_AT_ONCE}) as e
  where first.at < $2
  limit ${PRUNED_AT_ONCE}
), gone as (
  delete from session_events where ctid = any (array(select place from old)) returning 1
)
select (select count(*)::int from gone) as pruned, (select id from batch order by id desc limit 1) as last_id`,
};
