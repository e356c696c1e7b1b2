export { GatewayCallError } from './gateway-link.ts';
export { DEFAULT_TRANSPORT_LIMITS, type TransportLimits } from './limits.ts';
export type { DoorVerdict, NamespaceName, Principal, SignInAttempt, SignInResult, TransportOptions } from './options.ts';
export { type ConnectionCounts, createTransport, type Services, type Transport } from './transport.ts';
