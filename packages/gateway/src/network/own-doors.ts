import { type NetworkTarget, targetOf } from '@tendon/network';

/** Where a relay listens when nothing else is said. */
const RELAY_PORT = 7_421;

/** What no tool must ever open, whatever the policy allows: the server this gateway takes its orders from, and a relay. */
export function ownDoors(serverUrl: string): NetworkTarget[] {
  const server = targetOf(serverUrl);
  return [...(server ? [server] : []), { host: 'localhost', port: RELAY_PORT }];
}
