import { GATEWAY_REQUESTS, type GatewayRequestName, type Result, UNACKNOWLEDGED_REQUESTS } from '@tendon/protocol';
import type { GatewayConnection, GatewayHandlers } from '../runner/ports.ts';
import type { Route, Routes } from './requests.ts';

/** What is live may be lost. */
const UNACKNOWLEDGED: readonly GatewayRequestName[] = UNACKNOWLEDGED_REQUESTS;

export function gatewayRoutes(handlers: GatewayHandlers): Routes<GatewayConnection> {
  const names = Object.keys(GATEWAY_REQUESTS) as GatewayRequestName[];
  return new Map(names.map((name): [string, Route<GatewayConnection>] => [name, gatewayRoute(handlers, name)]));
}

function gatewayRoute(handlers: GatewayHandlers, name: GatewayRequestName): Route<GatewayConnection> {
  const handle = handlers[name] as (connection: GatewayConnection, payload: unknown) => Promise<Result<unknown>>;
  return {
    schema: GATEWAY_REQUESTS[name].payload,
    isAcknowledged: !UNACKNOWLEDGED.includes(name),
    handle: (connection, payload) => handle(connection, payload),
  };
}
