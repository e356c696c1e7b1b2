import type { AgentRequestName } from './agent-events.ts';

/**
 * What a key may be good for. A key without a list is good for all that its person can do.
 *
 *   read      look at sessions, machines and rules
 *   write     talk: start, change and delete sessions, send, stop, answer questions
 *   approve   decide about tool calls, and take rules back
 *   manage    keys, devices, machines, people, the account
 */
export const SCOPES = ['read', 'write', 'approve', 'manage'] as const;
export type Scope = (typeof SCOPES)[number];

/** What each request of `/agent` asks of a key. A request without a row does not compile. */
export const AGENT_SCOPES = {
  'session:create': 'write',
  'session:list': 'read',
  'session:attach': 'read',
  'session:detach': 'read',
  'session:history': 'read',
  'session:update': 'write',
  'session:delete': 'write',
  'session:fork': 'write',
  'agent:execute': 'write',
  'agent:stop': 'write',
  'agent:continue': 'write',
  'agent:undo': 'approve',
  'message:cancel': 'write',
  'tool:decide': 'approve',
  'tool:result': 'write',
  'tool:resolve': 'approve',
  'browser:watch': 'read',
  'gateway:list': 'read',
  'mcp:list': 'read',
  'model:list': 'read',
  'rule:list': 'read',
  'rule:revoke': 'approve',
} as const satisfies Record<AgentRequestName, Scope>;
