import { OPEN_STATES, type Statement } from './statement.ts';

/** $1 owner, $2 ids that stay. A machine that nothing of its owner names; when it comes back it is a new one. */
export const forgetUnusedGateway: Statement = {
  name: 'forget_unused_gateway',
  text: `
delete from gateways where id = (
  select g.id from gateways g
  where g.owner_id = $1 and g.id <> all ($2::uuid[])
    and not exists (select 1 from sessions s where s.owner_id = $1 and s.gateway_id = g.id)
    and not exists (select 1 from permission_rules r where r.owner_id = $1 and r.gateway_id = g.id)
    and not exists (select 1 from calls c where c.gateway_id = g.id and c.state in ${OPEN_STATES})
  order by g.last_seen_at limit 1
)`,
};
