import { errorCode } from '@tendon/system';

/** What an error says, and what lies behind it: "fetch failed" alone helps nobody. */
export function wordsOfError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // The words of one that zod made, of whatever copy of zod, are JSON.
  if ('issues' in error && Array.isArray(error.issues)) return error.issues.slice(0, MAX_ISSUES).map(wordsOfIssue).join('; ');
  const { cause } = error;
  const behind = cause instanceof Error ? cause.message || errorCode(cause) : undefined;
  return behind === undefined ? error.message : `${error.message} (${behind})`;
}

const MAX_ISSUES = 3;

function wordsOfIssue({ path, message }: { readonly path?: readonly unknown[]; readonly message?: unknown }): string {
  return `${(path ?? []).join('.')}: ${String(message)}`;
}
