/** Servers and a host of them, for the tests of others. */
export { BAD_PAGES, inHeader, privateUrls, resolveName, startEvilServer, WAYS, type Way } from './evil-mcp-rig.ts';
export { McpCredentials } from './mcp-credentials.ts';
export { fetchFor } from './mcp-door.ts';
export { EVERYTHING_SERVER, type McpBench, type McpBenchOptions, openMcpBench, serviceAddress, startHttpServer } from './mcp-rig.ts';
export { startOAuthServer } from './oauth-rig.ts';
