/** What `tendon doctor` asks about MCP servers; it loads no SDK. */
export { readMcpConfig } from './mcp-config.ts';
export { folderFault, howToInstall, severalWordsFault } from './missing-command.ts';
