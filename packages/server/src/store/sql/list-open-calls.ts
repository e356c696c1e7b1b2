import { OPEN_STATES, type Statement } from './statement.ts';

/** $1 machine. */
export const listOpenCalls: Statement = {
  name: 'list_open_calls',
  text: `select row_to_json(c) as call from calls c where c.gateway_id = $1 and c.state in ${OPEN_STATES} order by c.ordinal`,
};
