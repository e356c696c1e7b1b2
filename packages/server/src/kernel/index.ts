export type { Answer, Change, Outcome } from './change.ts';
export { OFFLINE_DEADLINE_MS } from './handlers/about-calls.ts';
export type { Focus, Input, InputOf, RequestedCall, Stamp, Verdict } from './input.ts';
export { brokenInvariants, stateFaults } from './invariants.ts';
export { type Effect, owed } from './owed.ts';
export { decideCall, type PolicyRule } from './policy.ts';
export * from './state.ts';
export { transition } from './transition.ts';
