export type { GatewayHandle, GatewayOptions } from './gateway.ts';
export type { LinkRefusal, LinkState } from './link/connection.ts';
export { readGatewayId } from './machine-identity.ts';
export { GatewayStartError } from './start-error.ts';
export { startGateway } from './start-gateway.ts';
export { registryBuilds } from './tools/registry.ts';
