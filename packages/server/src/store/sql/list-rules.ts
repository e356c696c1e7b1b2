import type { Statement } from './statement.ts';

/** $1 owner. */
export const listRules: Statement = {
  name: 'list_rules',
  text: 'select row_to_json(r) as rule from permission_rules r where r.owner_id = $1 order by r.created_at, r.id',
};
