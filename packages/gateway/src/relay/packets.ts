import {
  AGENT_NOTICES,
  AGENT_REQUESTS,
  type AgentNoticeName,
  type AgentRequestName,
  type Call,
  ERROR_CODES,
  type ProtocolError,
  type Result,
  refusal,
  tryParse,
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

/** The server's answer to it. */
export function passAnswer(name: AgentRequestName, answer: unknown): Passed<Result<unknown>> {
  if (tryParse(failureSchema, answer).success) return { ok: true, value: answer as Result<unknown> };
  const { data: schema } = AGENT_REQUESTS[name];
  const checked = validate(z.object({ ok: z.literal(true), data: schema }), answer);
  return checked.ok ? { ok: true, value: answer as Result<unknown> } : checked;
}

/** What the server tells. */
export function passNotice(name: string, payload: unknown): Passed<AgentNoticeName> {
  if (!isNoticeName(name)) return refusal('invalid_payload', 'there is no such event', [{ path: '', reason: 'there is no such event' }]);
  const checked = validate(AGENT_NOTICES[name], payload);
  return checked.ok ? { ok: true, value: name } : checked;
}

/** The calls that an answer or a notice, which has passed, shows to the page. */
export function callsIn(data: unknown): Call[] {
  const found: Call[] = [];
  const { call, calls, events } = data as { call?: Call; calls?: readonly Call[]; events?: readonly { data: unknown }[] };
  if (call) found.push(call);
  if (calls) found.push(...calls);
  for (const event of events ?? []) found.push(...callsIn(event.data));
  return found;
}

function isRequestName(name: string): name is AgentRequestName {
  return Object.hasOwn(AGENT_REQUESTS, name);
}

function isNoticeName(name: string): name is AgentNoticeName {
  return Object.hasOwn(AGENT_NOTICES, name);
}
