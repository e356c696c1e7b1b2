/** The face for programs that read the configuration without running a server: `tendon gateway`, `chat`, `key`, `doctor`. Loads neither database nor models. */
export { type Config, homeFolder, isLoopbackHost, type LoadedConfig, loadConfig, type VariableName } from './config.ts';
export { prepareHome, readHomeFile, rotateSecretKey } from './home-folder.ts';
export { createLog, type Log } from './log.ts';
export { serverMcpPath } from './mcp/mcp-path.ts';
export { StartError } from './start-error.ts';
