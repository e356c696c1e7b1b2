import type { Statement } from './statement.ts';

/** $1 machine, $2 number of its hello, $3 tools. Written only over the connection that greeted last. */
export const setGatewayTools: Statement = { name: 'set_gateway_tools', text: 'update gateways set tools = $3::json where id = $1 and greeting = $2' };
