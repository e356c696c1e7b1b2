/** Servers and a host of them, for the tests of others. */
export { fetchFor } from './mcp-door.ts';
export { EVERYTHING_SERVER, type McpBench, type McpBenchOptions, openMcpBench, serviceAddress, startHttpServer } from './mcp-rig.ts';
export { startOAuthServer } from './oauth-rig.ts';
