import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  GATEWAY_REQUESTS,
  type GatewayAnswer,
  type GatewayCommand,
  type GatewayData,
  type GatewayRequest,
  type GatewayRequestName,
  type GatewayTool,
  type MachineMcp,
  type ToolResult,
  validate,
} from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';
import { Server, type Socket } from 'socket.io';
import { v7 as newId } from 'uuid';
import { within } from './until.ts';
import { wholeEnd } from './whole-end.ts';

/** A small server that speaks `/gateway` as protocol.md has it, over real sockets, and writes down all it hears. */
export interface ServerDouble extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly hellos: GatewayRequest<'gateway:hello'>[];
  /** What `gateway:tools` has told, each time. */
  readonly tools: GatewayTool[][];
  /** What `gateway:mcp` has told, each time. */
  readonly mcpServers: MachineMcp[][];
  readonly handshakes: { auth: unknown; headers: Record<string, unknown> }[];
  readonly results: Map<string, ToolResult[]>;
  readonly outputs: { callId: string; offset: number; text: string }[];
  readonly started: string[];
  /** What was shown of the browser: pictures, and why there are none. */
  readonly views: (GatewayRequest<'browser:frame'> | GatewayRequest<'browser:state'>)[];
  /** Packets that did not have the protocol's shape. */
  readonly faults: string[];
  /** Resolves as soon as `look` answers something, looked at after every packet. */
  until<T>(look: () => T | undefined | false): Promise<T>;
  call(tool: string, input: unknown, more?: Partial<GatewayCommand<'tool:call'>>): Promise<{ callId: string; answer: GatewayAnswer<'tool:call'> }>;
  /** The answer of the gateway that is connected. Rejects when its connection ends before. */
  emit(name: string, payload: unknown): Promise<unknown>;
  /** Calls a tool and waits for its result. */
  run(tool: string, input: unknown, more?: Partial<GatewayCommand<'tool:call'>>): Promise<ToolResult>;
  cut(): void;
}

export interface DoubleBehaviour {
  port?: number;
  /** A refusal of the handshake. */
  refuse?: () => { code: string; message: string; retryAfterMs?: number } | undefined;
  hello?: (hello: GatewayRequest<'gateway:hello'>) => unknown;
  tools?: (tools: readonly GatewayTool[]) => unknown;
  mcp?: (servers: readonly MachineMcp[]) => unknown;
  result?: (callId: string, seen: number) => unknown;
  engine?: { pingInterval?: number; pingTimeout?: number };
}

const OK = { ok: true, data: {} };

export async function startServerDouble(behaviour: DoubleBehaviour = {}): Promise<ServerDouble> {
  const http = createServer();
  const io = new Server(http, { serveClient: false, maxHttpBufferSize: 4 * 1024 * 1024, ...behaviour.engine });
  const end = wholeEnd(http, io);
  const record = { hellos: [], tools: [], mcpServers: [], handshakes: [], results: new Map(), outputs: [], started: [], views: [], faults: [] } as Pick<
    ServerDouble,
    'hellos' | 'tools' | 'mcpServers' | 'handshakes' | 'results' | 'outputs' | 'started' | 'views' | 'faults'
  >;
  const watchers = new Set<() => void>();
  let current: { readonly socket: Socket; readonly gone: Promise<never> } | undefined;
  const namespace = io.of('/gateway');
  namespace.use((socket, next) => {
    record.handshakes.push({ auth: socket.handshake.auth, headers: socket.handshake.headers });
    const refusal = behaviour.refuse?.();
    next(refusal ? Object.assign(new Error(refusal.message), { data: refusal }) : undefined);
    wake();
  });
  const wake = (): void => {
    for (const watcher of watchers) watcher();
  };
  const handlers: { [Name in GatewayRequestName]: (data: GatewayRequest<Name>) => unknown } = {
    'gateway:hello': (hello) => {
      record.hellos.push(hello);
      const data: GatewayData<'gateway:hello'> = { send: [], cancel: [], forget: [] };
      return behaviour.hello?.(hello) ?? { ok: true, data };
    },
    'gateway:tools': (told) => {
      record.tools.push(told.tools);
      return behaviour.tools?.(told.tools) ?? OK;
    },
    'gateway:mcp': ({ mcpServers }) => {
      record.mcpServers.push(mcpServers);
      return behaviour.mcp?.(mcpServers) ?? OK;
    },
    'tool:started': ({ callId }) => {
      record.started.push(callId);
      return OK;
    },
    'tool:output': (output) => {
      record.outputs.push(output);
      return OK;
    },
    'tool:result': ({ callId, result }) => {
      const seen = [...(record.results.get(callId) ?? []), result];
      record.results.set(callId, seen);
      return behaviour.result?.(callId, seen.length) ?? OK;
    },
    'browser:frame': (frame) => {
      record.views.push(frame);
      return OK;
    },
    'browser:state': (state) => {
      record.views.push(state);
      return OK;
    },
  };
  namespace.on('connection', (socket) => {
    const gone = new Promise<never>((_, reject) => socket.once('disconnect', (why) => reject(new Error(`the gateway has gone: ${why}`))));
    gone.catch(() => undefined);
    current = { socket, gone };
    for (const [name, handler] of Object.entries(handlers)) {
      socket.on(name, (payload: unknown, acknowledge: unknown) => {
        const checked = validate(GATEWAY_REQUESTS[name as GatewayRequestName].payload, payload);
        if (!checked.ok) record.faults.push(`${name}: ${checked.error.message}`);
        const answer = checked.ok ? (handler as (data: unknown) => unknown)(checked.data) : checked;
        if (typeof acknowledge === 'function' && answer !== 'silent') acknowledge(answer);
        wake();
      });
    }
    wake();
  });
  await new Promise<void>((resolve) => http.listen(behaviour.port ?? 0, '127.0.0.1', resolve));
  const port = (http.address() as AddressInfo).port;
  const double: ServerDouble = {
    ...record,
    url: `http://127.0.0.1:${port}`,
    port,
    until: (look) =>
      new Promise((resolve) => {
        const watcher = (): void => {
          const found = look();
          if (found === undefined || found === false) return;
          watchers.delete(watcher);
          resolve(found);
        };
        watchers.add(watcher);
        watcher();
      }),
    async emit(name, payload) {
      if (!current) throw new Error('no gateway is connected');
      return within(`the answer to ${name}`, Promise.race([current.socket.emitWithAck(name, payload), current.gone]));
    },
    async call(tool, input, more) {
      const command = commandFor(record.hellos.at(-1), { tool, input, more });
      const answer = (await double.emit('tool:call', command)) as GatewayAnswer<'tool:call'>;
      return { callId: command.callId, answer };
    },
    async run(tool, input, more) {
      const { callId, answer } = await double.call(tool, input, more);
      if (!answer.accepted) throw new Error(`refused: ${answer.error.code}: ${answer.error.message}`);
      return double.until(() => record.results.get(callId)?.[0]);
    },
    cut: () => current?.socket.conn.close(),
    [Symbol.asyncDispose]: end,
  };
  return double;
}

/** A dispatch as the server makes it: hashed over what will run. */
export function commandFor(
  hello: GatewayRequest<'gateway:hello'> | undefined,
  what: { tool: string; input: unknown; more?: Partial<GatewayCommand<'tool:call'>> | undefined },
): GatewayCommand<'tool:call'> {
  const workspace = what.more?.workspace ?? hello?.workspaces[0]?.path ?? '/';
  const { tool, input } = what;
  return {
    callId: newId(),
    sessionId: newId(),
    workspace,
    tool,
    input,
    inputHash: inputHash({ tool, input, workspace, gatewayId: hello?.gatewayId }),
    timeoutMs: 120_000,
    grant: { by: 'user', decidedBy: newId(), at: new Date().toISOString() },
    ...what.more,
  };
}
