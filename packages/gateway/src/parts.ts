/** The pieces that the simulation puts together with a disk, tools and a network of its own. */
export { Gateway, type GatewayParts } from './gateway.ts';
export { Journal } from './journal/journal.ts';
export type { JournalFiles } from './journal/journal-files.ts';
export { settleLeftovers } from './journal/leftovers.ts';
export type { GatewaySocket, OpenSocket, SocketEvents } from './link/gateway-socket.ts';
export { LocalApprovals } from './policy/local-approvals.ts';
export type { PreparedCall, ToolRegistry } from './tools/registry.ts';
export { endedEarly, endReason, type ToolContext } from './tools/tool.ts';
export { Snapshots } from './undo/snapshots.ts';
