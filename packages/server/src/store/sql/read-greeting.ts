import type { Statement } from './statement.ts';

/** $1 machine. */
export const readGreeting: Statement = { name: 'read_greeting', text: 'select greeting from gateways where id = $1' };
