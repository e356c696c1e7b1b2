import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { host, httpUrl, modelName, onOff, originList, originText, port, proxyList, secretKey, secretKeyList, text, urlOf } from './config-values.ts';

interface Variable {
  readonly schema: z.ZodType<unknown, string>;
  /** Never shown whole, neither by doctor nor in an error. */
  readonly isSecret?: true;
}

/** Every variable that Tendon reads. `config.json` uses the same names. */
const VARIABLES = {
  TENDON_HOME: { schema: text },
  TENDON_WORKSPACE: { schema: text },
  TENDON_HOST: { schema: host },
  TENDON_PORT: { schema: port },
  TENDON_RELAY_PORT: { schema: port },
  TENDON_PUBLIC_URL: { schema: originText },
  TENDON_ALLOWED_ORIGINS: { schema: originList },
  TENDON_TRUSTED_PROXIES: { schema: proxyList },
  TENDON_DATABASE_URL: { schema: urlOf(['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/name'), isSecret: true },
  TENDON_REDIS_URL: { schema: urlOf(['redis:', 'rediss:'], 'redis://host:6379'), isSecret: true },
  TENDON_AUTH: { schema: z.enum(['required', 'disabled'], 'give required or disabled') },
  TENDON_OWNER_KEY: {
    schema: z
      .string()
      .min(32, 'give at least 32 characters')
      .max(512, 'give at most 512 characters')
      .regex(/^[\x21-\x7e]+$/, 'give printable characters without spaces'),
    isSecret: true,
  },
  TENDON_API_KEY: { schema: text.max(16_384, 'give a key'), isSecret: true },
  TENDON_SECRET_KEY: { schema: secretKey, isSecret: true },
  TENDON_SECRET_KEY_PREVIOUS: { schema: secretKeyList, isSecret: true },
  TENDON_JWT_ISSUER: { schema: text },
  TENDON_JWT_AUDIENCE: { schema: text },
  TENDON_JWT_JWKS_URL: { schema: httpUrl('https://issuer.example/.well-known/jwks.json') },
  TENDON_JWT_SIGN_UP: { schema: onOff },
  TENDON_OIDC_ISSUER: { schema: urlOf(['https:', 'http:'], 'https://login.example') },
  TENDON_OIDC_CLIENT_ID: { schema: text.max(500, 'give the id that the provider gave') },
  TENDON_OIDC_CLIENT_SECRET: { schema: text, isSecret: true },
  TENDON_OIDC_NAME: { schema: text.max(60, 'give at most 60 characters') },
  TENDON_OIDC_SIGN_UP: { schema: onOff },
  TENDON_DESKTOP: { schema: onOff },
  TENDON_MODEL: { schema: modelName },
  TENDON_COMPATIBLE_URL: { schema: httpUrl('http://127.0.0.1:8000/v1') },
  TENDON_COMPATIBLE_KEY: { schema: text, isSecret: true },
  TENDON_LOG_LEVEL: { schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'give trace, debug, info, warn, error, fatal or silent') },
  OPENAI_API_KEY: { schema: text, isSecret: true },
  OPENAI_BASE_URL: { schema: httpUrl('https://api.openai.com/v1') },
  ANTHROPIC_API_KEY: { schema: text, isSecret: true },
  ANTHROPIC_BASE_URL: { schema: httpUrl('https://api.anthropic.com/v1') },
  GOOGLE_GENERATIVE_AI_API_KEY: { schema: text, isSecret: true },
  OLLAMA_HOST: { schema: text },
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof VARIABLES;
export type ConfigSource = 'flag' | 'environment' | 'config.json' | 'default';

type Given = { [Name in VariableName]?: z.output<(typeof VARIABLES)[Name]['schema']> };

/** Names and keys of the model providers, as their own libraries call them. */
export interface ProviderConfig {
  readonly compatibleUrl?: string | undefined;
  readonly compatibleKey?: string | undefined;
  readonly openaiKey?: string | undefined;
  readonly openaiBaseUrl?: string | undefined;
  readonly anthropicKey?: string | undefined;
  readonly anthropicBaseUrl?: string | undefined;
  readonly googleKey?: string | undefined;
  readonly ollamaHost?: string | undefined;
}

export interface JwtConfig {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUrl: string;
  /** Whether every subject of the issuer gets an account; otherwise it must be connected with one. */
  readonly signUp: boolean;
}

/** An identity provider (OpenID Connect) by which people sign in. */
export interface OidcConfig {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  /** What its button says. */
  readonly name: string;
  /** Whether whoever the provider lets in gets an account; otherwise an invitation or a connected account is needed. */
  readonly signUp: boolean;
}

export interface Config {
  /** Absolute. */
  readonly home: string;
  /** Absolute; not checked to exist. */
  readonly workspace: string;
  readonly host: string;
  readonly port: number;
  readonly relayPort: number;
  /** An origin (`https://tendon.example`), when the address that people use is not host and port. */
  readonly publicUrl?: string | undefined;
  readonly allowedOrigins: readonly string[];
  /** Addresses and networks of the reverse proxies in front, whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** Undefined: an embedded PostgreSQL in the home. */
  readonly databaseUrl?: string | undefined;
  readonly redisUrl?: string | undefined;
  readonly auth: 'required' | 'disabled';
  readonly ownerKey?: string | undefined;
  readonly apiKey?: string | undefined;
  /** 32 bytes, base64. Undefined: a file in the home, see `readSecretKeys`. */
  readonly secretKey?: string | undefined;
  /** Keys that open beside it, and never seal. */
  readonly previousSecretKeys: readonly string[];
  readonly jwt?: JwtConfig | undefined;
  readonly oidc?: OidcConfig | undefined;
  readonly desktop: boolean;
  /** `provider/model` or `demo`. Undefined: chosen from what is there. */
  readonly model?: string | undefined;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly providers: ProviderConfig;
  /** A credential of this one process, kept in the home: the command line manages keys with it. Not a variable. */
  readonly controlKey?: string | undefined;
}

/** One value as doctor shows it. */
export interface ConfigOrigin {
  readonly name: VariableName;
  readonly source: ConfigSource;
  /** Secrets are masked; undefined when there is none. */
  readonly shown?: string | undefined;
}

export interface ConfigInput {
  /** Values of flags by the variable they stand for. */
  readonly flags?: Readonly<Partial<Record<VariableName, string | undefined>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Text of `$TENDON_HOME/config.json`, when there is one. */
  readonly homeFile?: string | undefined;
  /** For relative paths; the current folder when left out. */
  readonly cwd?: string;
}

export type LoadedConfig =
  | { readonly ok: true; readonly config: Config; readonly origins: readonly ConfigOrigin[]; readonly unknown: readonly string[] }
  | { readonly ok: false; readonly faults: readonly string[]; readonly origins: readonly ConfigOrigin[]; readonly unknown: readonly string[] };

interface Picked {
  readonly value: string;
  readonly source: ConfigSource;
}

/**
 * Reads every variable, flag before environment before `config.json` before default. Pure.
 * Each fault is one line: the variable, where it came from, its value (secrets masked), and what is allowed.
 */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const faults: string[] = [];
  const file = parseHomeFile(input.homeFile, faults);
  const given: Record<string, unknown> = {};
  const origins: ConfigOrigin[] = [];
  for (const name of variableNames()) {
    const picked = pick(name, input, file);
    if (!picked) {
      origins.push({ name, source: 'default' });
      continue;
    }
    origins.push({ name, source: picked.source, shown: shown(name, picked.value) });
    const parsed = VARIABLES[name].schema.safeParse(picked.value);
    if (parsed.success) given[name] = parsed.data;
    else faults.push(fault(name, picked, parsed.error.issues[0]?.message ?? 'give another value'));
  }
  const unknown = Object.keys(input.env).filter((name) => name.startsWith('TENDON_') && !isVariable(name) && !OF_GATEWAYS.has(name));
  if (faults.length > 0) return { ok: false, faults, origins, unknown };
  const config = assemble(given as Given, input.cwd ?? process.cwd());
  const crossFaults = checkTogether(config, given as Given);
  if (crossFaults.length > 0) return { ok: false, faults: crossFaults, origins, unknown };
  return { ok: true, config, origins: origins.map((origin) => withDefault(origin, config)), unknown };
}

/** Where the home is, before its `config.json` can be read. */
export function homeFolder(input: Pick<ConfigInput, 'flags' | 'env' | 'cwd'>): string {
  const value = input.flags?.TENDON_HOME || input.env['TENDON_HOME'] || join(homedir(), '.tendon');
  return absolute(value, input.cwd ?? process.cwd());
}

/** Whether only this machine can reach a server that listens there (RFC 1122 3.2.1.3, RFC 4291 2.5.3). */
export function isLoopbackHost(name: string): boolean {
  return name === 'localhost' || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name);
}

function variableNames(): VariableName[] {
  return Object.keys(VARIABLES).filter(isVariable);
}

/** Settings of gateways, which a server does not read. */
const OF_GATEWAYS = new Set(['TENDON_BROWSER_PATH']);

function isVariable(name: string): name is VariableName {
  return Object.hasOwn(VARIABLES, name);
}

function pick(name: VariableName, input: ConfigInput, file: Readonly<Record<string, string>>): Picked | undefined {
  const flag = input.flags?.[name];
  if (flag !== undefined) return { value: flag, source: 'flag' };
  const fromEnvironment = input.env[name];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return { value: fromEnvironment, source: 'environment' };
  const fromFile = file[name];
  return fromFile === undefined || fromFile === '' ? undefined : { value: fromFile, source: 'config.json' };
}

function parseHomeFile(content: string | undefined, faults: string[]): Record<string, string> {
  if (content === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    faults.push('config.json in TENDON_HOME is not JSON: mend it, or remove it');
    return {};
  }
  const parsed = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).safeParse(value);
  if (!parsed.success) {
    faults.push('config.json in TENDON_HOME must be one object of variable names and plain values, such as { "TENDON_PORT": 7420 }');
    return {};
  }
  const values: Record<string, string> = {};
  for (const [name, entry] of Object.entries(parsed.data)) {
    if (!isVariable(name) || name === 'TENDON_HOME')
      faults.push(`config.json in TENDON_HOME has "${printable(name)}": this is no variable it may set, see tendon doctor for the names`);
    else values[name] = String(entry);
  }
  return values;
}

function assemble(given: Given, cwd: string): Config {
  return {
    home: absolute(given.TENDON_HOME ?? join(homedir(), '.tendon'), cwd),
    workspace: absolute(given.TENDON_WORKSPACE ?? cwd, cwd),
    host: given.TENDON_HOST ?? '127.0.0.1',
    port: given.TENDON_PORT ?? 7420,
    relayPort: given.TENDON_RELAY_PORT ?? 7421,
    publicUrl: given.TENDON_PUBLIC_URL,
    allowedOrigins: given.TENDON_ALLOWED_ORIGINS ?? [],
    trustedProxies: given.TENDON_TRUSTED_PROXIES ?? [],
    databaseUrl: given.TENDON_DATABASE_URL,
    redisUrl: given.TENDON_REDIS_URL,
    auth: given.TENDON_AUTH ?? 'required',
    ownerKey: given.TENDON_OWNER_KEY,
    apiKey: given.TENDON_API_KEY,
    secretKey: given.TENDON_SECRET_KEY,
    previousSecretKeys: given.TENDON_SECRET_KEY_PREVIOUS ?? [],
    jwt: jwtOf(given),
    oidc: oidcOf(given),
    desktop: given.TENDON_DESKTOP ?? false,
    model: given.TENDON_MODEL,
    logLevel: given.TENDON_LOG_LEVEL ?? 'info',
    providers: {
      compatibleUrl: given.TENDON_COMPATIBLE_URL,
      compatibleKey: given.TENDON_COMPATIBLE_KEY,
      openaiKey: given.OPENAI_API_KEY,
      openaiBaseUrl: given.OPENAI_BASE_URL,
      anthropicKey: given.ANTHROPIC_API_KEY,
      anthropicBaseUrl: given.ANTHROPIC_BASE_URL,
      googleKey: given.GOOGLE_GENERATIVE_AI_API_KEY,
      ollamaHost: given.OLLAMA_HOST,
    },
  };
}

function jwtOf(given: Given): JwtConfig | undefined {
  const { TENDON_JWT_ISSUER: issuer, TENDON_JWT_AUDIENCE: audience, TENDON_JWT_JWKS_URL: jwksUrl } = given;
  return issuer !== undefined && audience !== undefined && jwksUrl !== undefined
    ? { issuer, audience, jwksUrl, signUp: given.TENDON_JWT_SIGN_UP ?? false }
    : undefined;
}

function oidcOf(given: Given): OidcConfig | undefined {
  const { TENDON_OIDC_ISSUER: issuer, TENDON_OIDC_CLIENT_ID: clientId, TENDON_OIDC_CLIENT_SECRET: clientSecret } = given;
  if (issuer === undefined || clientId === undefined) return undefined;
  return { issuer, clientId, clientSecret, name: given.TENDON_OIDC_NAME ?? new URL(issuer).host, signUp: given.TENDON_OIDC_SIGN_UP ?? false };
}

/** What is wrong only in company. */
function checkTogether(config: Config, given: Given): string[] {
  const faults: string[] = [];
  if (config.auth === 'disabled' && !isLoopbackHost(config.host)) {
    faults.push(
      `TENDON_AUTH is "disabled" while TENDON_HOST is "${config.host}": anyone who reaches it could run commands; set TENDON_AUTH=required or TENDON_HOST=127.0.0.1`,
    );
  }
  if (config.auth === 'disabled' && config.publicUrl !== undefined && !isLoopbackHost(new URL(config.publicUrl).hostname.replace(/^\[|\]$/g, ''))) {
    faults.push(`TENDON_AUTH is "disabled" while TENDON_PUBLIC_URL is "${config.publicUrl}": set TENDON_AUTH=required, or take TENDON_PUBLIC_URL away`);
  }
  const jwtNames = (['TENDON_JWT_ISSUER', 'TENDON_JWT_AUDIENCE', 'TENDON_JWT_JWKS_URL'] as const).filter((name) => given[name] === undefined);
  if (jwtNames.length === 1 || jwtNames.length === 2)
    faults.push(`${jwtNames.join(' and ')} missing: JWTs need TENDON_JWT_ISSUER, TENDON_JWT_AUDIENCE and TENDON_JWT_JWKS_URL together`);
  faults.push(...oidcFaults(given));
  return faults;
}

function oidcFaults(given: Given): string[] {
  const { TENDON_OIDC_ISSUER: issuer, TENDON_OIDC_CLIENT_ID: clientId } = given;
  if ((issuer === undefined) !== (clientId === undefined))
    return [
      `${issuer === undefined ? 'TENDON_OIDC_ISSUER' : 'TENDON_OIDC_CLIENT_ID'} missing: sign-in at an identity provider needs TENDON_OIDC_ISSUER and TENDON_OIDC_CLIENT_ID together`,
    ];
  if (issuer !== undefined && new URL(issuer).protocol === 'http:' && !isLoopbackHost(new URL(issuer).hostname.replace(/^\[|\]$/g, '')))
    return [`TENDON_OIDC_ISSUER is "${printable(issuer)}": give an https address; http is for a provider on this machine only`];
  return [];
}

function fault(name: VariableName, picked: Picked, reason: string): string {
  const origin = picked.source === 'flag' ? ` (from a flag)` : picked.source === 'config.json' ? ' (from config.json)' : '';
  return `${name}${origin} is "${shown(name, picked.value)}": ${reason}`;
}

function shown(name: VariableName, value: string): string {
  const variable: Variable = VARIABLES[name];
  return variable.isSecret ? `(hidden, ${value.length} characters)` : printable(value);
}

/** One line, bounded, no control characters: a value from outside must not write to the terminal. */
function printable(value: string): string {
  const clean = value.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
  return clean.length > 100 ? `${clean.slice(0, 100)}...` : clean;
}

function withDefault(origin: ConfigOrigin, config: Config): ConfigOrigin {
  if (origin.source !== 'default') return origin;
  const defaults: Partial<Record<VariableName, string>> = {
    TENDON_HOME: config.home,
    TENDON_WORKSPACE: config.workspace,
    TENDON_HOST: config.host,
    TENDON_PORT: String(config.port),
    TENDON_RELAY_PORT: String(config.relayPort),
    TENDON_AUTH: config.auth,
    TENDON_DESKTOP: 'off',
    TENDON_LOG_LEVEL: config.logLevel,
  };
  return { ...origin, shown: defaults[origin.name] };
}

function absolute(path: string, cwd: string): string {
  const expanded = path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
  return isAbsolute(expanded) ? resolve(expanded) : resolve(cwd, expanded);
}
