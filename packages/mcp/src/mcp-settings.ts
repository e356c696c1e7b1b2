/** What `tendon doctor` asks about MCP servers; it loads no SDK. */
export { readMcpConfig } from './mcp-config.ts';
export { howToInstall } from './missing-command.ts';
