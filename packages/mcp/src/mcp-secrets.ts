import type { McpServerConfig } from './mcp-config.ts';

/** Takes the secrets of an entry out of what its server says: of a text, and of all texts in a JSON value. */
export interface SecretFilter {
  text(said: string): string;
  value<T>(said: T): T;
}

/** Shorter ones would be found in words that have nothing to do with them. */
const SHORTEST = 6;
const SECRET_PARTS = /key|token|secret|pass|pwd|auth(?!ors?(?![a-z]))|cred|cookie|session|private|dsn|database|connection/i;
/** Too short, or too common in other words, to be looked for within them: PAT is a token, and PATH is none. */
const SECRET_WORDS = /(?<![a-z])(?:pat|pw|psk|jwt|otp|totp|hmac|salt|bearer|webhook|mnemonic|conn)(?![a-z])/i;
/** What every desktop and shell has, and which sounds like one only to us. */
const ORDINARY_NAME = /^(?:PWD|OLDPWD|DBUS_SESSION_BUS_ADDRESS|XDG_.*)$/;
/** `scheme://user:password@…`, wherever it stands. The scheme is bounded: else each letter of a long run is a beginning that is read to its end. */
const ADDRESS = /[a-z][a-z0-9+.-]{0,30}:\/\/([^\s/?#:@]*):([^\s/?#]+)@[^\s"']*/gi;
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
  if (config.kind === 'stdio') {
    const passwords = [...Object.values(config.env), ...config.args].flatMap(passwordsIn);
    return [...named(Object.entries(config.env)), ...config.args.flatMap(secretInArguments), ...passwords];
  }
  const headers = Object.entries(config.headers).filter(([name]) => !HARMLESS_HEADERS.has(name.toLowerCase()));
  const query = named([...new URL(config.url).searchParams]);
  const { clientSecret } = config.oauth ?? {};
  // `Bearer …`: without its scheme it is as good.
  return [...headers.flatMap(([, given]) => [given, given.slice(given.lastIndexOf(' ') + 1)]), ...query, ...(clientSecret === undefined ? [] : [clientSecret])];
}

export function isSecretName(name: string): boolean {
  if (ORDINARY_NAME.test(name)) return false;
  return SECRET_PARTS.test(name) || SECRET_WORDS.test(name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2'));
}

/**
 * Addresses with a password, whatever they are named: whole, and what drivers say of them. A password that is also another word of its address
 * (`postgres://postgres:postgres@…`) is no secret by itself, and would be found in every other sentence.
 */
function passwordsIn(given: string): string[] {
  return [...given.matchAll(ADDRESS)].flatMap(([address, user = '', password = '']) => {
    const pair = `${user}:${password}@`;
    const isWord = address.replace(pair, () => `${user} `).includes(password);
    return [address, pair, ...(isWord ? [] : [password, decoded(password)])];
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function named(entries: readonly (readonly [string, string])[]): string[] {
  return entries.flatMap(([name, given]) => (isSecretName(name) ? [given] : []));
}

/** `--api-key=…`, or `--api-key` and the argument after it. */
function secretInArguments(argument: string, index: number, args: readonly string[]): string[] {
  const [name = '', ...rest] = argument.split('=');
  if (!isSecretName(name)) return [];
  if (rest.length > 0) return [rest.join('=')];
  const next = args[index + 1];
  return name.startsWith('-') && next !== undefined && !next.startsWith('-') ? [next] : [];
}
