import type { Statement } from './statement.ts';

/** $1 session, $2 node, $3 epoch, $4 the turn's message, $5 parts. Raises no version: it decides nothing. */
export const savePartial: Statement = {
  name: 'save_partial',
  text: `
update sessions set turn_partial = $5::json
where id = $1 and lease_node = $2 and lease_epoch = $3 and turn_epoch = $3 and turn_message_id = $4`,
};
