import type { Statement } from './statement.ts';

/** $1 session, $2 owner. Everything that belongs to it goes with it. */
export const deleteSession: Statement = { name: 'delete_session', text: 'delete from sessions where id = $1 and owner_id = $2' };
