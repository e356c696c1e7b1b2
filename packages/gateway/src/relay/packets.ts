import {
  AGENT_NOTICES,
  AGENT_REQUESTS,
  type AgentData,
  type AgentNoticeName,
  type AgentNotices,
  type AgentRequestName,
  type Call,
  ERROR_CODES,
  type ProtocolError,
  type Result,
  refusal,
  validate,
} from '@tendon/protocol';
import { z } from 'zod';

/*
 * What passes: requests of AGENT_REQUESTS up, their answers and AGENT_NOTICES down, each measured against the schema that the server and the
 * page use too. What fits is passed on as it came, so that a newer page and a newer server may say more than this relay knows.
 */

export type Passed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ProtocolError };

const failureSchema = z.object({
  ok: z.literal(false),
  error: z.object({ code: z.enum(Object.keys(ERROR_CODES) as [keyof typeof ERROR_CODES]), message: z.string() }),
});

/** A request of the page. */
export function passRequest(name: string, payload: unknown): Passed<AgentRequestName> {
  if (!isRequestName(name)) return refusal('invalid_payload', 'there is no such event', [{ path: '', reason: 'there is no such event' }]);
  const checked = validate(AGENT_REQUESTS[name].payload, payload);
  return checked.ok ? { ok: true, value: name } : checked;
}

/** The server's answer to it, and the calls that it shows to the page. */
export function passAnswer(name: AgentRequestName, answer: unknown): Passed<{ readonly answer: Result<unknown>; readonly calls: readonly Call[] }> {
  if (validate(failureSchema, answer).ok) return { ok: true, value: { answer: answer as Result<unknown>, calls: [] } };
  const { data: schema } = AGENT_REQUESTS[name];
  const checked = validate(z.object({ ok: z.literal(true), data: schema }), answer);
  return checked.ok ? { ok: true, value: { answer: answer as Result<unknown>, calls: callsInAnswer(name, checked.data.data) } } : checked;
}

/** What the server tells, and the call that it shows to the page. */
export function passNotice(name: string, payload: unknown): Passed<{ readonly name: AgentNoticeName; readonly calls: readonly Call[] }> {
  if (!isNoticeName(name)) return refusal('invalid_payload', 'there is no such event', [{ path: '', reason: 'there is no such event' }]);
  const checked = validate(AGENT_NOTICES[name], payload);
  if (!checked.ok) return checked;
  return { ok: true, value: { name, calls: name === 'session:event' ? callsInEvent(checked.data as AgentNotices['session:event']) : [] } };
}

/** Out of what was read by the schema: what the page does not know of, it does not show. */
function callsInAnswer(name: AgentRequestName, data: unknown): Call[] {
  if (name === 'session:history') return (data as AgentData<'session:history'>).calls;
  if (name !== 'session:attach') return [];
  const { calls, events = [] } = data as AgentData<'session:attach'>;
  return [...calls, ...events.flatMap(callsInEvent)];
}

function callsInEvent(event: AgentNotices['session:event']): Call[] {
  return event.type === 'call.requested' || event.type === 'call.updated' ? [event.data.call] : [];
}

function isRequestName(name: string): name is AgentRequestName {
  return Object.hasOwn(AGENT_REQUESTS, name);
}

function isNoticeName(name: string): name is AgentNoticeName {
  return Object.hasOwn(AGENT_NOTICES, name);
}
