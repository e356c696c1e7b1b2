/** MCP servers as an `mcp.json` names them, run and called. The SDK is loaded when a server is named, and not before. */
export { lateNetwork } from './late-network.ts';
export type { McpSeal } from './mcp-credentials.ts';
export { McpHost, type McpServerView, type McpTools } from './mcp-host.ts';
export { isMcpName } from './mcp-names.ts';
export { lateAnswer, type McpCall, type McpPlace, type McpPreparation } from './mcp-run.ts';
export type { HttpReach, McpNetwork, McpSurroundings, ServerSeat, ServerStart } from './mcp-surroundings.ts';
export { plainSurroundings } from './plain-surroundings.ts';
export { toldServers } from './told-servers.ts';
