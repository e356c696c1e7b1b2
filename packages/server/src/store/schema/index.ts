export { gateways } from './gateways.ts';
export {
  accounts,
  apiKeys,
  auditEntries,
  authSessions,
  invitations,
  pairings,
  recoveryCodes,
  secondFactors,
  secondSteps,
  sessionTokens,
  signInLinks,
  users,
  verifications,
} from './identity.ts';
export { secrets } from './secrets.ts';
export { calls, messages, permissionRules, sessionEvents, sessions } from './sessions.ts';
