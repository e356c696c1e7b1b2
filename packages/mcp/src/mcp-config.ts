import { readFile } from 'node:fs/promises';
import { NO_TARGET, parseAllowed } from '@tendon/network';
import { plainIssue } from '@tendon/protocol/plain-words';
import { errorCode } from '@tendon/system';
import { z } from 'zod';
import { misplacedServers, missingField } from './config-words.ts';

interface StdioServer {
  readonly kind: 'stdio';
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The gateway's first workspace when left out. */
  readonly cwd: string | undefined;
}

interface HttpServer {
  readonly kind: 'http';
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly oauth?: McpOAuthClient | undefined;
  /** Where it may lead besides public addresses; of the server's own file alone. */
  readonly networkAllow?: readonly string[] | undefined;
}

/** What a service gave to whoever registered this machine there by hand. */
export interface McpOAuthClient {
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  /** Where the browser comes back to, when the service takes no other port than the one that it knows. */
  readonly callbackPort?: number | undefined;
}

/** One server of `mcp.json`, with every `${NAME}` filled in. */
export type McpServerConfig = StdioServer | HttpServer;

export interface McpConfigFault {
  /** One line that names the place and the mend. */
  readonly line: string;
  /** The server that was left out; undefined when nothing of the file could be read. */
  readonly server: string | undefined;
}

export interface McpConfig {
  readonly servers: readonly McpServerConfig[];
  readonly faults: readonly McpConfigFault[];
}

const words = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean()], { error: 'it must be text, a number, true or false' }).transform((value) => String(value)),
);
const stdioSchema = z.object({ command: z.string().min(1), args: z.array(z.string()).default([]), env: words.default({}), cwd: z.string().min(1).optional() });
const oauthSchema = z.object({
  clientId: z.string().min(1),
  clientSecret: z.string().min(1).optional(),
  callbackPort: z.number().int().min(1).max(65_535).optional(),
});
const httpSchema = z.object({ url: z.url({ protocol: /^https?$/ }), headers: words.default({}), oauth: oauthSchema.optional() });
const allowedTarget = z.string().refine((entry) => parseAllowed(entry) !== undefined, NO_TARGET);
/** A machine has a policy file, which is the one place where its person says so: its file may come from another program. */
const httpSchemas = { gateway: httpSchema, server: httpSchema.extend({ networkAllow: z.array(allowedTarget).max(1_000).optional() }) };
const WORDS_APART = 'it must be the name of the program alone: put the words after the first into "args"';
const HTTP_TYPES = new Set(['http', 'streamable-http', 'streamableHttp']);

/**
 * Reads `mcp.json` in the form that other programs use: `{ "mcpServers": { "name": { "command" … } or { "url" … } } }`. Fields that are not known
 * are let be. What is wrong costs the server that it is about, and never the others. A missing file is an empty one. Never throws.
 */
export async function readMcpConfig(path: string, env: NodeJS.ProcessEnv, reader: Source['reader'] = 'gateway'): Promise<McpConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return { servers: [], faults: [] };
    return wholeFault(`${path} cannot be read (${code ?? 'unknown error'}). Mend its permissions: it is then read by itself.`);
  }
  return parseMcpConfig(text, { path, env, reader });
}

interface Source {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
  /** Who reads it again when it has changed. */
  readonly reader: 'gateway' | 'server';
}

export function parseMcpConfig(text: string, source: Source): McpConfig {
  let whole: unknown;
  try {
    // Some editors put a mark before the first character, which nobody sees there.
    whole = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (error) {
    return wholeFault(faultLine(source, '', `is not JSON (${error instanceof Error ? withoutQuote(error.message) : 'unreadable'})`));
  }
  const listed = z.looseObject({ mcpServers: z.record(z.string(), z.unknown()).optional() }).safeParse(whole);
  if (!listed.success) {
    const issue = listed.error.issues[0];
    return wholeFault(faultLine(source, issue?.path.join('.') ?? '', `is wrong: ${issue ? plainIssue(issue) : 'not an object'}`));
  }
  const { mcpServers } = listed.data;
  const misplaced = mcpServers === undefined ? misplacedServers(listed.data) : undefined;
  if (misplaced) return wholeFault(faultLine(source, misplaced.place, misplaced.what));
  const read = Object.entries(mcpServers ?? {}).map(([name, entry]) => ({ name, outcome: serverOf(name, entry, source) }));
  return {
    servers: read.flatMap(({ outcome }) => (typeof outcome === 'object' ? [outcome] : [])),
    faults: read.flatMap(({ name, outcome }) => (typeof outcome === 'string' ? [{ line: outcome, server: name }] : [])),
  };
}

/** What stands around the place may be a secret, and the line goes into a log. */
function withoutQuote(message: string): string {
  return message.replace(/, (?:\.\.\.)?".*$/s, '');
}

function wholeFault(line: string): McpConfig {
  return { servers: [], faults: [{ line, server: undefined }] };
}

/** The server, or what is wrong with it; undefined for one that is switched off. */
function serverOf(name: string, given: unknown, source: Source): McpServerConfig | string | undefined {
  const place = `mcpServers.${name}`;
  const { data: entry } = z.looseObject({}).safeParse(given);
  if (!entry) return faultLine(source, place, 'is wrong: it is no object with "command" or "url"');
  if (entry['disabled'] === true) return undefined;
  const type = entry['type'];
  if (type === 'sse') return faultLine(source, `${place}.type`, 'is "sse", which MCP has given up. Use "http" with the address of the streamable endpoint');
  const isHttp = HTTP_TYPES.has(String(type)) || (type === undefined && entry['command'] === undefined && entry['url'] !== undefined);
  if (type !== undefined && type !== 'stdio' && !isHttp) return faultLine(source, `${place}.type`, 'is not known. Use "stdio" or "http"');
  const isNamed = isHttp || type === 'stdio' || (type === undefined && entry['command'] !== undefined);
  const wanted = isHttp ? ['url'] : isNamed ? ['command'] : ['command', 'url'];
  if (wanted.every((field) => entry[field] === undefined)) {
    const { place: given, what } = missingField(entry, wanted);
    return faultLine(source, given === undefined ? place : `${place}.${given}`, what);
  }
  const missing = new Set<string>();
  const checked = (isHttp ? httpSchemas[source.reader] : stdioSchema).safeParse(filled(entry, source.env, missing));
  if (missing.size > 0) return unknownVariables(source, place, [...missing]);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    const words = Array.isArray(entry['command']) && issue?.path[0] === 'command' ? WORDS_APART : issue && plainIssue(issue);
    return faultLine(source, [place, ...(issue?.path ?? [])].join('.'), `is wrong: ${words ?? 'not a server'}`);
  }
  const server = checked.data;
  if ('url' in server && hasCredentials(server.url))
    return faultLine(
      source,
      `${place}.url`,
      'holds a name or a password, which logs would show. Leave them out and use "headers": { "Authorization": "Basic …" }',
    );
  if ('url' in server) return { kind: 'http', name, ...server };
  return { kind: 'stdio', name, command: server.command, args: server.args, env: server.env, cwd: server.cwd };
}

function hasCredentials(url: string): boolean {
  const { username, password } = new URL(url);
  return username !== '' || password !== '';
}

function faultLine({ path, reader }: Source, place: string, what: string): string {
  return `${path}: ${place === '' ? 'it' : place} ${what}. Mend it: the ${reader} reads it again by itself.`;
}

/** The environment of a process that runs cannot be changed from outside. */
function unknownVariables({ path, reader }: Source, place: string, variables: readonly string[]): string {
  const named = variables.map((variable) => `\${${variable}}`).join(', ');
  return `${path}: ${place} uses ${named}, which the ${reader}'s environment does not have. Write it out in the file or give it a default (\${NAME:-default}), which is read by itself; or set it, then start the ${reader} again.`;
}

/** Fills `${NAME}`, `${env:NAME}` and `${NAME:-instead}` in every text of a server's entry. Names without a value go to `missing`. */
function filled(value: unknown, env: NodeJS.ProcessEnv, missing: Set<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => filled(item, env, missing));
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, env, missing)]));
  if (typeof value !== 'string') return value;
  return value.replaceAll(/\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g, (_whole, variable: string, instead: string | undefined) => {
    const known = env[variable] ?? instead;
    if (known === undefined) missing.add(variable);
    return known ?? '';
  });
}
