import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';
import { type GatewayTool, type Log, type ToolResult, textResult } from '@tendon/protocol';
import { pino } from 'pino';
import { v7 as newId } from 'uuid';
import { z } from 'zod';
import { McpHost } from './mcp-host.ts';
import { lateAnswer, type McpPlace } from './mcp-run.ts';
import type { McpSurroundings } from './mcp-surroundings.ts';
import type { OAuthRig } from './oauth-rig.ts';
import { plainSurroundings } from './plain-surroundings.ts';

/** How mcp.json starts the odd server of mcp-stdio-rig.ts. */
export const ODD_SERVER = { command: process.execPath, args: [join(import.meta.dirname, 'mcp-stdio-rig.ts')] };

const bin = (name: string): string => join(import.meta.dirname, '../../../node_modules/.bin', name);
export const EVERYTHING_SERVER = { command: process.execPath, args: [bin('mcp-server-everything'), 'stdio'] };
export const filesystemServer = (folder: string) => ({ command: process.execPath, args: [bin('mcp-server-filesystem'), folder] });

/** Why a call is ended, as the gateway says it. */
export type EndReason = { readonly kind: 'cancelled' } | { readonly kind: 'timeout'; readonly limitMs: number };

export const cancelled: EndReason = { kind: 'cancelled' };

export const PLACE: McpPlace = {
  ...{ name: 'gateway', prefix: 'mcp', hidesSecrets: false },
  endedEarly: (signal, durationMs) => {
    const reason = signal.reason as EndReason;
    return reason.kind === 'timeout' ? lateAnswer(reason.limitMs, durationMs) : textResult('cancelled', 'Cancelled while it ran.', { durationMs });
  },
};

export function textOf(result: ToolResult): string {
  return result.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

export interface McpBench extends AsyncDisposable {
  readonly host: McpHost;
  readonly base: string;
  readonly workspace: string;
  /** What was logged, one text per line. */
  readonly lines: string[];
  /** The tool of that name as soon as it is announced, and `look` holds for it. */
  announced(name: string, look?: (tool: GatewayTool) => boolean): Promise<GatewayTool>;
  /** Calls `look` with every line that was logged, and every one that will be. */
  watch(look: (line: string) => void): void;
  /** Resolves as soon as a logged line fits. */
  logged(pattern: RegExp): Promise<string>;
  run(tool: string, input: unknown, how?: { abort?: AbortController; onOutput?: (text: string) => void }): Promise<ToolResult>;
  /** The same, again and again while the server does not run. */
  runWhenUp(tool: string, input: unknown): Promise<ToolResult>;
  /** Replaces mcp.json in one step, as an editor does. */
  write(servers: Record<string, unknown> | string): Promise<void>;
  /** A host of the same folder, once this one is closed. */
  reopen(servers?: Record<string, unknown>): Promise<McpBench>;
}

export interface McpBenchOptions {
  /** Of the pauses between tries; short when left out. */
  readonly jitter?: number;
  /** The machine's gateway when left out. */
  readonly place?: McpPlace;
  /** The folder of a bench that was there before. */
  readonly at?: string;
  /** Those of a machine, from where the bench stands; plain ones when left out. */
  readonly surroundings?: (bench: { readonly base: string; readonly workspace: string; readonly log: Log }) => Promise<McpSurroundings>;
}

/** A host with real servers, without a link. */
export async function openMcpBench(servers: Record<string, unknown> | string, options: McpBenchOptions = {}): Promise<McpBench> {
  const base = options.at ?? (await realpath(await mkdtemp(join(tmpdir(), 'tendon mcp '))));
  const workspace = join(base, 'work');
  await mkdir(workspace, { recursive: true });
  const files = {
    config: join(base, 'mcp.json'),
    pins: join(base, 'pins.json'),
    processes: join(base, 'processes.json'),
    credentials: join(base, 'credentials.json'),
  };
  const write: McpBench['write'] = async (next) => {
    await writeFile(`${files.config}.new`, typeof next === 'string' ? next : JSON.stringify({ mcpServers: next }));
    await rename(`${files.config}.new`, files.config);
  };
  await write(servers);
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  const wake = (): void => {
    for (const watcher of watchers) watcher();
  };
  const log = pino(
    { level: 'debug' },
    {
      write: (line: string) => {
        lines.push(line);
        wake();
      },
    },
  );
  const surroundings = (await options.surroundings?.({ base, workspace, log })) ?? plainSurroundings({ reserved: [] });
  const host = await McpHost.open({
    files,
    place: options.place ?? PLACE,
    folder: workspace,
    surroundings,
    version: '0',
    env: process.env,
    log,
    newId,
    now: () => new Date(),
    random: () => options.jitter ?? 0.01,
  });
  host.subscribe(wake);
  host.start();
  const until = <T>(look: () => T | undefined): Promise<T> =>
    new Promise((resolve) => {
      const watcher = (): void => {
        const found = look();
        if (found === undefined) return;
        watchers.delete(watcher);
        resolve(found);
      };
      watchers.add(watcher);
      watcher();
    });
  const run: McpBench['run'] = (tool, input, how = {}) => {
    const prepared = host.prepare(tool, input);
    if (!prepared.ok) throw new Error(`${prepared.code}: ${prepared.message}`);
    return prepared.call.run({ signal: (how.abort ?? new AbortController()).signal, onOutput: how.onOutput ?? (() => undefined) });
  };
  return {
    ...{ host, base, workspace, lines, write, run },
    announced: (name, look = () => true) => until(() => host.announced.find((tool) => tool.name === name && look(tool))),
    watch: (look) => {
      let seen = 0;
      const watcher = (): void => {
        for (; seen < lines.length; seen += 1) look(lines[seen] ?? '');
      };
      watchers.add(watcher);
      watcher();
    },
    logged: (pattern) => until(() => lines.find((line) => pattern.test(line))),
    async runWhenUp(tool, input) {
      for (;;) {
        const result = await run(tool, input);
        if (result.error?.code !== 'mcp_unavailable') return result;
        // That answer needs no turn of the event loop, and the next start does.
        await new Promise(setImmediate);
      }
    },
    async reopen(again) {
      await host.close();
      return openMcpBench(again ?? (typeof servers === 'string' ? {} : servers), { ...options, at: base });
    },
    async [Symbol.asyncDispose]() {
      await host.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}

/** Where the address of a sign-in that stands in a log leads on to. */
export async function serviceAddress(address: string): Promise<string> {
  return (await fetch(address, { redirect: 'manual' })).headers.get('location') ?? '';
}

export interface HttpRig extends AsyncDisposable {
  readonly url: string;
  /** The headers of each request. */
  readonly headers: NodeJS.Dict<string | string[]>[];
  readonly initialized: () => number;
  /** Adds one more tool to every session: their clients are told. */
  addTool(name: string): void;
  /** Forgets every session, as a server does that was started again. */
  forget(): void;
}

/** A streamable HTTP server of our own, with sessions, on a free port of loopback. */
export async function startHttpServer(options: { readonly wants?: string; readonly oauth?: OAuthRig } = {}): Promise<HttpRig> {
  const sessions = new Map<string, { server: McpServer; transport: StreamableHTTPServerTransport }>();
  const headers: NodeJS.Dict<string | string[]>[] = [];
  let initialized = 0;
  const http: HttpServer = createServer(async (request, response) => {
    headers.push(request.headers);
    const own = `http://${request.headers.host}`;
    const metadata = '/.well-known/oauth-protected-resource/mcp';
    if (options.oauth && request.url === metadata) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(options.oauth.metadataFor(`${own}/mcp`)));
      return;
    }
    if (options.oauth && !options.oauth.live.has(request.headers.authorization?.replace('Bearer ', '') ?? '')) {
      response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${own}${metadata}"` }).end();
      return;
    }
    if (options.wants !== undefined && request.headers.authorization !== options.wants) {
      response.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
      return;
    }
    let text = '';
    for await (const chunk of request) text += chunk;
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    let session = sessions.get(String(request.headers['mcp-session-id']));
    if (!session && isInitializeRequest(body)) {
      initialized += 1;
      session = await openSession((id, opened) => sessions.set(id, opened));
    }
    if (session) await session.transport.handleRequest(request, response, body);
    else
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}');
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    headers,
    initialized: () => initialized,
    addTool: (name) => {
      for (const { server } of sessions.values()) server.registerTool(name, { description: 'New.' }, () => ({ content: [{ type: 'text', text: name }] }));
    },
    forget: () => sessions.clear(),
    async [Symbol.asyncDispose]() {
      for (const { transport } of sessions.values()) await transport.close();
      http.closeAllConnections();
      await new Promise<void>((resolve) => void http.close(() => resolve()));
    },
  };
}

type Session = { server: McpServer; transport: StreamableHTTPServerTransport };

async function openSession(opened: (id: string, session: Session) => void): Promise<Session> {
  const server = new McpServer({ name: 'web', version: '1.0.0' });
  server.registerTool('add', { description: 'Adds two numbers.', inputSchema: { a: z.number(), b: z.number() } }, ({ a, b }) => ({
    content: [{ type: 'text', text: String(a + b) }],
  }));
  server.registerResource('note', 'note://one', { description: 'A note.' }, (uri) => ({ contents: [{ uri: uri.href, text: 'remember the milk' }] }));
  server.registerPrompt('review', { description: 'A review.', argsSchema: { file: z.string() } }, ({ file }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Review ${file}.` } }],
  }));
  const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    onsessioninitialized: (id) => opened(id, session),
  });
  const session = { server, transport };
  await server.connect(transport as Transport);
  return session;
}
