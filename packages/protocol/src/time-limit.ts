/**
 * The time limit that the input of a call names, in milliseconds, unchecked. None for a command in the background: it runs on, and a limit that
 * were shorter than its first moment would end it before that.
 */
export function askedTimeoutMs(input: unknown): number | undefined {
  if (typeof input !== 'object' || input === null || !('timeoutMs' in input)) return undefined;
  if ('background' in input && input.background === true) return undefined;
  return typeof input.timeoutMs === 'number' ? input.timeoutMs : undefined;
}
