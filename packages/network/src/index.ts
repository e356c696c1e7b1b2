/** Which addresses a tool may reach: what is public, what somebody allows besides, and doors of Tendon itself, which nobody opens. */
export { type AllowedTarget, NO_TARGET, parseAllowed } from './network-allow.ts';
export {
  judgeTarget,
  lookUp,
  type NetworkPolicy,
  type NetworkRulesOptions,
  type NetworkTarget,
  nameOf,
  type Resolve,
  targetOf,
  type Verdict,
} from './network-rules.ts';
export { canonicalHost, isLoopback, isOwn, isPublic } from './own-addresses.ts';
