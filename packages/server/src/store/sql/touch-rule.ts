import type { Statement } from './statement.ts';

/** $1 rule, $2 time. */
export const touchRule: Statement = { name: 'touch_rule', text: 'update permission_rules set last_used_at = $2 where id = $1' };
