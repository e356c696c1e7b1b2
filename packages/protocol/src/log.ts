/**
 * What a log line may carry. Another field does not compile, and what gets there all the same is shown as `[unlisted]`: adding one is a decision
 * about what may stand in a log, and a credential must never be.
 */
export const LOG_FIELDS = [
  'event',
  'outcome',
  'path',
  'reason',
  'code',
  'user',
  'userId',
  'client',
  'address',
  'namespace',
  'origin',
  'host',
  'credentialId',
  'carrier',
  'sessionId',
  'messageId',
  'callId',
  'gatewayId',
  'instanceId',
  'requestId',
  'logId',
  'socketId',
  'node',
  'epoch',
  'seq',
  'attempt',
  'generation',
  'turn',
  'ruleId',
  'model',
  'provider',
  'tool',
  'effect',
  'state',
  'status',
  'type',
  'kind',
  'name',
  'mcpServer',
  'version',
  'platform',
  'workspace',
  'folder',
  'file',
  'url',
  'port',
  'pid',
  'signal',
  'exitCode',
  'durationMs',
  'waitMs',
  'retryAfterMs',
  'bytes',
  'count',
  'total',
  'limit',
  'inputTokens',
  'outputTokens',
  'inputHash',
  'method',
  'route',
  'source',
  'component',
  'err',
  'error',
  'step',
  'data',
] as const;

export type LogFields = { readonly [Field in (typeof LOG_FIELDS)[number]]?: unknown };

interface LogLevel {
  (message: string): void;
  (fields: LogFields, message: string): void;
}

/** The log of a process: one line an entry. pino's logger is one. */
export interface Log {
  readonly debug: LogLevel;
  readonly info: LogLevel;
  readonly warn: LogLevel;
  readonly error: LogLevel;
  readonly fatal: LogLevel;
  /** The same, with these fields in every line. */
  child(fields: LogFields): Log;
}
