import { ERROR_CODES, type ErrorCode, GATEWAY_REQUESTS, type GatewayData, type GatewayRequestName, tryParse, validate } from '@tendon/protocol';
import { z } from 'zod';

/** What came of a request: its data, a refusal by the server, or silence. */
export type Acknowledged<T> =
  | { readonly kind: 'ok'; readonly data: T }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string; readonly isRetryable: boolean; readonly retryAfterMs?: number | undefined }
  | { readonly kind: 'silent'; readonly cause: string };

const errorSchema = z.object({
  ok: z.literal(false),
  error: z.object({ code: z.string(), message: z.string(), details: z.unknown().optional() }),
});
const waitSchema = z.object({ retryAfterMs: z.number().nonnegative() });

/** Reads the acknowledgement of `name`. What is none (wrong shape, unknown code) counts as silence: nothing can be built on it. */
export async function acknowledged<Name extends GatewayRequestName>(name: Name, answer: Promise<unknown>): Promise<Acknowledged<GatewayData<Name>>> {
  let value: unknown;
  try {
    value = await answer;
  } catch (error) {
    return { kind: 'silent', cause: error instanceof Error ? error.message : String(error) };
  }
  const refused = validate(errorSchema, value);
  if (refused.ok) return refusal(refused.data.error);
  const schema: z.ZodType = z.object({ ok: z.literal(true), data: GATEWAY_REQUESTS[name].data });
  const accepted = validate(schema, value);
  if (!accepted.ok) return { kind: 'silent', cause: `an acknowledgement of ${name} that cannot be read: ${accepted.error.message}` };
  return { kind: 'ok', data: (accepted.data as { data: GatewayData<Name> }).data };
}

function refusal(error: { code: string; message: string; details?: unknown }): Acknowledged<never> {
  const { code, message, details } = error;
  if (!isErrorCode(code)) return { kind: 'silent', cause: `an unknown refusal: ${code}` };
  const wait = tryParse(waitSchema, details);
  return { kind: 'refused', code, message, isRetryable: ERROR_CODES[code].retry, retryAfterMs: wait.success ? wait.data.retryAfterMs : undefined };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}
