/** The pieces that the simulation puts together with a network and a clock of its own. */
export { Outbox } from './outbox/outbox.ts';
export { readDelta, readEvent } from './session/inbound.ts';
export { SessionClient, type SessionHost } from './session/session-client.ts';
export { Notifier } from './store.ts';
