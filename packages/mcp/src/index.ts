/** MCP servers as an `mcp.json` names them, run and called. The SDK is loaded when a server is named, and not before. */
export { McpHost, type McpHostOptions, type McpTools } from './mcp-host.ts';
export { isMcpName } from './mcp-names.ts';
export { lateAnswer, type McpPlace } from './mcp-run.ts';
