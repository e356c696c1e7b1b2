import type { AgentNoticeName, AgentNotices } from '@tendon/protocol';
import type { Namespace } from 'socket.io';
import type { Fanout } from '../runner/ports.ts';
import { SummaryPacer } from './summary-pacer.ts';

/** Rooms are named here and nowhere else: a client never names one. */
export function sessionRoom(sessionId: string): string {
  return `session:${sessionId}`;
}

const USER_ROOM = 'user:';

export function userRoom(userId: string): string {
  return `${USER_ROOM}${userId}`;
}

/** The fan-out of this node. A notice is serialised once, whatever the number of readers, and not at all when there is none. */
export function roomFanout(namespace: Namespace): Fanout {
  const { rooms } = namespace.adapter;
  const emit = <Name extends AgentNoticeName>(room: string, name: Name, notice: AgentNotices[Name]): void => {
    if (rooms.has(room)) namespace.to(room).emit(name, notice);
  };
  const summaries = new SummaryPacer((userId, summary) => emit(userRoom(userId), 'session:summary', summary));
  return {
    toSession: (sessionId, name, notice) => emit(sessionRoom(sessionId), name, notice),
    toUser: (userId, name, notice) => {
      if (!rooms.has(userRoom(userId))) return;
      if (name === 'session:summary') summaries.add(userId, notice as AgentNotices['session:summary']);
      else emit(userRoom(userId), name, notice);
    },
    hasAudience: (sessionId) => rooms.has(sessionRoom(sessionId)),
    people: () => [...rooms.keys()].flatMap((room) => (room.startsWith(USER_ROOM) ? [room.slice(USER_ROOM.length)] : [])),
  };
}
