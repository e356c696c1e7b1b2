export { createModels } from './model/models.ts';
export type { ModelConfig, ModelPort } from './model/model-port.ts';
export type { AgentConnection, AgentHandlers, Caller, Fanout, GatewayConnection, GatewayDesk, GatewayHandlers } from './ports.ts';
export { createRunner, type Runner, type RunnerOptions } from './runner.ts';
