import { LEASE, type Statement } from './statement.ts';

/** $1 node, $2 limit. Nodes that look at the same time take different sessions. */
export const claimOwed: Statement = {
  name: 'claim_owed',
  text: `
update sessions s set lease_node = $1, lease_epoch = s.lease_epoch + 1, lease_expires_at = clock_timestamp() + ${LEASE}
from (
  select id from sessions
  where owes and (lease_node is null or lease_expires_at < clock_timestamp())
  order by updated_at limit $2 for update skip locked) as free
where s.id = free.id
returning s.id, s.lease_epoch`,
};
