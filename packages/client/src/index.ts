export { AgentClient } from './agent-client.ts';
export { APPROVAL_GUARD_MS, type GuardedCard, guardedCard, mayApprove } from './approval-guard.ts';
export { localApprovalWarning, needsLocalApproval } from './local-approval.ts';
export { memoryOutbox, OUTBOX_PREFIX, type WebStorage, webStorageOutbox } from './outbox/storage.ts';
export { sandboxWarning, sandboxWords } from './sandbox-words.ts';
export type { SessionClient } from './session/session-client.ts';
export { requestSessionToken, sessionTokenSource } from './session-token.ts';
export type {
  AgentClientOptions,
  BrowserView,
  CallDecision,
  ConnectionState,
  GatewayList,
  LiveOutput,
  Notice,
  OutboxMessage,
  OutboxStorage,
  Scheduler,
  SendOptions,
  SessionListView,
  SessionView,
  Store,
  Timers,
} from './types.ts';
