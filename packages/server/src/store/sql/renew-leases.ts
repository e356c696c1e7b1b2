import { LEASE, type Statement } from './statement.ts';

/** $1 node, $2 sessions, $3 their epochs. A lease that has run out is renewed as long as nobody has taken it: its epoch tells. */
export const renewLeases: Statement = {
  name: 'renew_leases',
  text: `
update sessions s set lease_expires_at = clock_timestamp() + ${LEASE}
from unnest($2::uuid[], $3::integer[]) as held(id, epoch)
where s.id = held.id and s.lease_node = $1 and s.lease_epoch = held.epoch
returning s.id, s.lease_epoch`,
};
