import type { Statement } from './statement.ts';

/** $1 machine, $2 time. Late news does not turn the clock back. */
export const seeGateway: Statement = { name: 'see_gateway', text: 'update gateways set last_seen_at = greatest(last_seen_at, $2::timestamptz) where id = $1' };
