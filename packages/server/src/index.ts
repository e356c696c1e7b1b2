/** The face of a server node. `@tendon/server/settings` is the light one, for programs that only read the configuration. */
export { requireModel, type ServerHandle, type ServerParts, startServer } from './app.ts';
export { type Config, type LoadedConfig, loadConfig } from './config.ts';
export { createLog, type Log } from './log.ts';
export { StartError } from './start-error.ts';
