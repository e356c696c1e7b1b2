import { LOG_FIELDS, type Log } from '@tendon/protocol';
import { type DestinationStream, pino, stdSerializers } from 'pino';

export type { Log };

const FIELDS: ReadonlySet<string> = new Set(LOG_FIELDS);

/**
 * Second line of defence, over the finished text: what looks like a credential is cut out wherever it stands. No pattern crosses a quote
 * or a backslash, so a JSON line stays JSON.
 */
const CREDENTIALS: readonly [RegExp, string][] = [
  [/\b((?:tn[ds]|tdr|trs)_)[A-Za-z0-9_-]{8,}/g, '$1[hidden]'],
  [/\b(?:sk|pk|rk|AIza)[-_][A-Za-z0-9_-]{16,}/g, '[hidden key]'],
  [/AIza[A-Za-z0-9_-]{30,}/g, '[hidden key]'],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g, '[hidden jwt]'],
  // The end of a scheme is enough: with all of it, a long run of letters would be looked through from each of them.
  [/([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@"\\]*):[^\s/@"\\]+@/gi, '$1:[hidden]@'],
  [/([?&](?:token|auth|key|code|state|password)=)[^&\s"\\]+/gi, '$1[hidden]'],
  [/(\b(?:set-)?cookie["']?\s*[:=]\s*["']?)[^"'\\\r\n]+/gi, '$1[hidden]'],
  [/(\bbearer\s+)[^\s"'\\]+/gi, '$1[hidden]'],
];

export interface LogOptions {
  readonly level: string;
  /** Lines for people instead of JSON. */
  readonly pretty: boolean;
  /** Where lines go; standard error when left out. Standard output belongs to the commands. */
  readonly destination?: DestinationStream | undefined;
}

/** The one logger of a process: an allow-list of fields, credentials cut out, one line per entry. */
export function createLog(options: LogOptions): Log {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: listedFields },
      serializers: { err: listedError, error: listedError },
      hooks: { streamWrite: options.pretty ? (line) => prettyLine(scrub(line)) : scrub },
    },
    options.destination ?? standardError(),
  );
}

/** Of what cannot be written now so much is kept, for when it can. */
const UNWRITTEN_BYTES = 1024 * 1024;

/** A disk that is full or a terminal that is gone costs lines of the log, and nothing of what they are about. */
function standardError(): DestinationStream {
  const destination = pino.destination({ fd: 2, sync: true, maxLength: UNWRITTEN_BYTES });
  destination.on('error', () => undefined);
  return destination;
}

/** Of an error only what it says and where: libraries hang requests, connections and their secrets onto theirs. */
function listedError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : '[not an error]';
  const { type, message, stack, code } = stdSerializers.err(error as Error & { code?: unknown }) as {
    type: string;
    message: string;
    stack: string;
    code?: unknown;
  };
  const clean = withoutParameters(error);
  return { type, message: clean(message), stack: clean(stack), ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}) };
}

const CHAIN_LENGTH = 6;

/** drizzle writes the values of a failed query into its message, and what a browser session is looked up by is one of them. */
function withoutParameters(error: Error): (text: string) => string {
  const cuts: [string, string][] = [];
  let current: unknown = error;
  for (let left = CHAIN_LENGTH; left > 0 && current instanceof Error; left -= 1) {
    const { message, query, params, cause } = current as Error & { readonly query?: unknown; readonly params?: unknown };
    if (typeof query === 'string' && params !== undefined) cuts.push([message, `Failed query: ${query}`]);
    current = cause;
  }
  return (text) => cuts.reduce((rest, [said, kept]) => rest.replaceAll(said, () => kept), text);
}

/** Cuts what looks like a credential out of text that is about to be shown or stored. */
export function scrub(line: string): string {
  return CREDENTIALS.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line);
}

function listedFields(fields: Record<string, unknown>): Record<string, unknown> {
  const listed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) listed[name] = FIELDS.has(name) ? value : '[unlisted]';
  return listed;
}

/** `12:30:01 warn  the message  name=value`, with the stack of an error below it. */
function prettyLine(line: string): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { time, level, msg, err, ...rest } = entry;
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const head = `${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${[visible(String(msg ?? '')), ...fields.map(visible)].join('  ')}`;
  const stack = typeof err === 'object' && err !== null && 'stack' in err ? `\n${String(err.stack).split('\n').map(visible).join('\n')}` : '';
  return `${head}${stack}\n`;
}

/** Control characters from outside must not write to the terminal. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}
