import type { Statement } from './statement.ts';

/** $1 session, $2 node, $3 epoch. */
export const releaseLease: Statement = {
  name: 'release_lease',
  text: 'update sessions set lease_node = null, lease_expires_at = null where id = $1 and lease_node = $2 and lease_epoch = $3',
};
