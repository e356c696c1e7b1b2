import type { Statement } from './statement.ts';

export const releaseAllLeases: Statement = {
  name: 'release_all_leases',
  text: 'update sessions set lease_node = null, lease_expires_at = null where lease_node is not null',
};
