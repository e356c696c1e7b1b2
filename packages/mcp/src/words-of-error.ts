import { errorCode } from '@tendon/system';

/** What an error says, and what lies behind it: "fetch failed" alone helps nobody. */
export function wordsOfError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const behind = cause instanceof Error ? cause.message || errorCode(cause) : undefined;
  return behind === undefined ? error.message : `${error.message} (${behind})`;
}
