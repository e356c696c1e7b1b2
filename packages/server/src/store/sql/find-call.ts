import type { Statement } from './statement.ts';

/** $1 call. */
export const findCall: Statement = {
  name: 'find_call',
  text: 'select s.owner_id, row_to_json(c) as call from calls c join sessions s on s.id = c.session_id where c.id = $1',
};
