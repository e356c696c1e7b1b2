import type { Statement } from './statement.ts';

/** $1 owner, $2 one machine or null for all. */
export const listGateways: Statement = {
  name: 'list_gateways',
  text: 'select row_to_json(g) as gateway from gateways g where g.owner_id = $1 and ($2::uuid is null or g.id = $2) order by g.name, g.id',
};
