import type { Statement } from './statement.ts';

/** $1 owner, $2 rule. */
export const revokeRule: Statement = { name: 'revoke_rule', text: 'delete from permission_rules where owner_id = $1 and id = $2' };
