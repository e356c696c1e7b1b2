import type { McpServerConfig } from './mcp-config.ts';

/** Takes the secrets of an entry out of what its server says: of a text, and of all texts in a JSON value. */
export interface SecretFilter {
  text(said: string): string;
  value<T>(said: T): T;
}

/** Shorter ones would be found in words that have nothing to do with them. */
const SHORTEST = 6;
const SECRET_NAME = /key|token|secret|pass|pwd|auth|cred|cookie|session|private|dsn|database|connection/i;
const HARMLESS_HEADERS = new Set(['accept', 'accept-language', 'content-type', 'user-agent']);
const HIDDEN = '[hidden: a secret of mcp.json]';

export const NOTHING_HIDDEN: SecretFilter = { text: (said) => said, value: (said) => said };

export function secretFilter(config: McpServerConfig): SecretFilter {
  // The longest first: one may be a part of another.
  const secrets = [...new Set(secretsOf(config).flatMap(spellings))].filter((secret) => secret.length >= SHORTEST).toSorted((a, b) => b.length - a.length);
  if (secrets.length === 0) return NOTHING_HIDDEN;
  // In one pass: what is put in their place holds words too.
  const any = new RegExp(secrets.map((secret) => secret.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&')).join('|'), 'g');
  const text = (said: string): string => said.replaceAll(any, HIDDEN);
  const value = (said: unknown): unknown => {
    if (typeof said === 'string') return text(said);
    if (Array.isArray(said)) return said.map(value);
    if (typeof said !== 'object' || said === null) return said;
    return Object.fromEntries(Object.entries(said).map(([key, item]) => [text(key), value(item)]));
  };
  return { text, value: <T>(said: T) => value(said) as T };
}

/** As it is, in an address, and in JSON that is a text itself. */
function spellings(secret: string): string[] {
  return [secret, encodeURIComponent(secret.toWellFormed()), JSON.stringify(secret).slice(1, -1)];
}

/** By their names, as far as those tell: an environment also holds folders and switches, which answers may well name. */
function secretsOf(config: McpServerConfig): string[] {
  if (config.kind === 'stdio') return [...named(Object.entries(config.env)), ...config.args.flatMap(secretInArguments)];
  const headers = Object.entries(config.headers).filter(([name]) => !HARMLESS_HEADERS.has(name.toLowerCase()));
  const query = named([...new URL(config.url).searchParams]);
  const { clientSecret } = config.oauth ?? {};
  // `Bearer …`: without its scheme it is as good.
  return [...headers.flatMap(([, given]) => [given, given.slice(given.lastIndexOf(' ') + 1)]), ...query, ...(clientSecret === undefined ? [] : [clientSecret])];
}

function named(entries: readonly (readonly [string, string])[]): string[] {
  return entries.flatMap(([name, given]) => (SECRET_NAME.test(name) ? [given] : []));
}

/** `--api-key=…`, or `--api-key` and the argument after it. */
function secretInArguments(argument: string, index: number, args: readonly string[]): string[] {
  const [name = '', ...rest] = argument.split('=');
  if (!SECRET_NAME.test(name)) return [];
  if (rest.length > 0) return [rest.join('=')];
  const next = args[index + 1];
  return name.startsWith('-') && next !== undefined && !next.startsWith('-') ? [next] : [];
}
