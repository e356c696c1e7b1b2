import { randomUUID } from 'node:crypto';
import type { Call, Gateway, Message, Session, SessionEvent } from '@tendon/protocol';

const T0 = '2026-01-01T00:00:00.000Z';

export function sampleSession(fields: Partial<Session> = {}): Session {
  return {
    id: randomUUID(),
    title: 'A session',
    status: 'idle',
    model: 'demo',
    archived: false,
    seq: 0,
    createdAt: T0,
    updatedAt: T0,
    waiting: { approvals: 0, answers: 0 },
    usage: { inputTokens: 0, outputTokens: 0 },
    ...fields,
  };
}

export function sampleMessage(fields: Partial<Message> & { sessionId: string }): Message {
  return { id: randomUUID(), seq: 1, role: 'user', state: 'complete', parts: [{ type: 'text', text: 'hello' }], createdAt: T0, ...fields };
}

export function sampleCall(fields: Partial<Call> & { sessionId: string }): Call {
  return {
    id: randomUUID(),
    messageId: randomUUID(),
    tool: 'bash',
    kind: 'local',
    effect: 'execute',
    input: { command: 'ls' },
    inputHash: 'hash',
    state: 'running',
    createdAt: T0,
    ...fields,
  };
}

export function sampleGateway(fields: Partial<Gateway> = {}): Gateway {
  return { id: randomUUID(), name: 'laptop', platform: 'linux', online: true, workspaces: [], tools: [], lastSeenAt: T0, ...fields };
}

/** An event of the given type and number; `data` is checked by the compiler against the type. */
export function sampleEvent<Type extends SessionEvent['type']>(
  place: { sessionId: string; seq: number },
  type: Type,
  data: Extract<SessionEvent, { type: Type }>['data'],
): SessionEvent {
  return { ...place, at: T0, type, data } as SessionEvent;
}
