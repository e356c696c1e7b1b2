import type { Statement } from './statement.ts';

/** $1 owner, $2 sessions: those that are archived, and those that the owner does not have. */
export const listOverSessions: Statement = {
  name: 'list_over_sessions',
  text: `
select asked.id, s.id is null as is_deleted
from unnest($2::uuid[]) as asked (id) left join sessions s on s.id = asked.id and s.owner_id = $1
where s.id is null or s.archived`,
};
