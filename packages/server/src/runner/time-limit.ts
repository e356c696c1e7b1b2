import { askedTimeoutMs } from '@tendon/protocol';

const DEFAULT_TIMEOUT_MS = 120_000;
const LONGEST_TIMEOUT_MS = 3_600_000;

/** How long a call may take, in milliseconds. A tool of somebody else may mean anything by the name. */
export function timeoutOf(input: unknown): number {
  const asked = askedTimeoutMs(input);
  return asked !== undefined && Number.isInteger(asked) && asked > 0 ? Math.min(asked, LONGEST_TIMEOUT_MS) : DEFAULT_TIMEOUT_MS;
}
