import { OPEN_STATES, type Statement } from './statement.ts';

/** $1 sessions, $2 machines. Only keys and the index of open calls are walked. */
export const listPlaces: Statement = {
  name: 'list_places',
  text: `
select s.id, s.seq from sessions s where s.id in (
  select unnest($1::uuid[])
  union
  select c.session_id from calls c where c.gateway_id = any($2::uuid[]) and c.state in ${OPEN_STATES})`,
};
