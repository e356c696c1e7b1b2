import { AGENT_REQUESTS, AGENT_SCOPES, type AgentRequestName, type Result } from '@tendon/protocol';
import type { Socket } from 'socket.io';
import type { AgentConnection, AgentHandlers } from '../runner/ports.ts';
import type { Guest } from './admission.ts';
import { NewestNotices } from './newest-notices.ts';
import type { Route, Routes } from './requests.ts';
import { sessionRoom, userRoom } from './rooms.ts';

const REINS: ReadonlySet<AgentRequestName> = new Set(['agent:stop', 'tool:decide']);

export function agentRoutes(handlers: AgentHandlers): Routes<AgentConnection> {
  const names = Object.keys(AGENT_REQUESTS) as AgentRequestName[];
  return new Map(names.map((name): [string, Route<AgentConnection>] => [name, agentRoute(handlers, name)]));
}

function agentRoute(handlers: AgentHandlers, name: AgentRequestName): Route<AgentConnection> {
  const handle = handlers[name] as (connection: AgentConnection, payload: unknown) => Promise<Result<unknown>>;
  return {
    schema: AGENT_REQUESTS[name].payload,
    isAcknowledged: true,
    scope: AGENT_SCOPES[name],
    isRein: REINS.has(name),
    handle: (connection, payload) => handle(connection, payload),
  };
}

/** Joins the rooms of the user. Joining a room after the socket has gone does nothing. */
export function openAgentConnection(socket: Socket, guest: Guest, address: string): AgentConnection {
  const { userId, credentialId } = guest.principal;
  void socket.join(userRoom(userId));
  const newest = new NewestNotices(socket);
  return {
    userId,
    clientName: guest.client.name,
    address,
    credentialId,
    joinSession: (sessionId) => void socket.join(sessionRoom(sessionId)),
    leaveSession: (sessionId) => void socket.leave(sessionRoom(sessionId)),
    showNewest: (key, name, notice) => newest.offer(key, name, notice),
    onEnd: (listener) => {
      if (socket.connected) socket.once('disconnect', listener);
      else listener();
    },
  };
}
