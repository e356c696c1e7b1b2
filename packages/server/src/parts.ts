/** The pieces that the simulation puts together with a database, models and a network of its own. */

export { brokenInvariants, stateFaults, statusOf } from './kernel/index.ts';
export type { NoticeChannel, NoticeEars } from './neighbours/index.ts';
export type { ModelPort, StepOutcome, StepPart, StepRequest, StepSink } from './runner/model/model-port.ts';
export type { AgentConnection, Fanout, GatewayConnection } from './runner/ports.ts';
export { createRunner, type Runner, type RunnerOptions } from './runner/runner.ts';
export { createStore, type Store } from './store/create-store.ts';
export type { Database } from './store/database.ts';
