import { setTimeout as delay } from 'node:timers/promises';
import { aborted } from 'node:util';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { OAuthError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ErrorCode, McpError, ResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { errorCode } from '@tendon/system';
import { inputCheck } from './input-check.ts';
import { LostAnswers } from './lost-answers.ts';
import {
  AnswerLost,
  ConnectionEnded,
  type McpConnection,
  type McpConnectOptions,
  type McpSdk,
  McpStartError,
  RequestRefused,
  type StartWords,
} from './mcp-connection.ts';
import { doorOf, fetchFor, SignInDoor } from './mcp-door.ts';
import type { McpSurroundings } from './mcp-surroundings.ts';
import { whyNotStarted } from './missing-command.ts';
import { StdioTransport } from './stdio-transport.ts';
import { wordsOfError } from './words-of-error.ts';

/*
 * The only file that loads the SDK, and so loaded only by `McpHost` when mcp.json names a server.
 */

/** `npx` and `uvx` may have to fetch the server first. */
const START_LIMIT_MS = 60_000;
/** The caller's signal ends a request; the SDK's own clock, which cannot be switched off, is set as far away as timers go. */
const NEVER_MS = 2 ** 31 - 1;
/** No server has this very object to send. */
const LOST_MARK = Object.freeze({});
const LOST = 'what was to hold the answer has ended without it';

async function connect(options: McpConnectOptions, surroundings: McpSurroundings): Promise<McpConnection> {
  const { signIn } = options;
  const door = signIn instanceof SignInDoor ? signIn : undefined;
  const signedInBefore = door?.signIn.count ?? 0;
  const lost = new LostAnswers(
    (id) => transport.onmessage?.({ jsonrpc: '2.0', id, error: { code: ErrorCode.ConnectionClosed, message: LOST, data: LOST_MARK } }),
    () => endQuietly(client),
  );
  const transport = transportTo(options, lost, surroundings);
  const client = new Client(
    { name: 'tendon', version: options.version },
    { listChanged: { tools: { autoRefresh: false, onChanged: () => options.onToolsChanged() } } },
  );
  const ended = Promise.withResolvers<string>();
  let isEnded = false;
  const deadline = AbortSignal.any([options.signal, AbortSignal.timeout(START_LIMIT_MS)]);
  client.onclose = () => {
    isEnded = true;
    ended.resolve(wordsOf(transport, 'the connection was closed'));
  };
  client.onerror = (error) => {
    // The stream of an HTTP server is given up by the SDK after some tries, without an end of the connection.
    if (/maximum reconnection attempts/i.test(error.message)) endQuietly(client);
  };
  try {
    const greeted = client.connect(transport, { signal: deadline, timeout: NEVER_MS });
    // The SDK lets the signal end the greeting alone, and not what it says after that. A child is let start whole, so that it can be ended whole.
    await (transport instanceof StdioTransport ? greeted : Promise.race([greeted, aborted(deadline, client).then(() => deadline.throwIfAborted())]));
  } catch (error) {
    await client.close().catch(() => undefined);
    await transport.close().catch(() => undefined);
    const isLate = deadline.aborted && !options.signal.aborted;
    const fault = isLate
      ? `it did not answer within ${START_LIMIT_MS / 1_000} s${tail(transport)}`
      : await startFault(error, options, { transport, signedInBefore });
    throw new McpStartError(startWords(fault), error);
  }
  const hasEnded = (): boolean => isEnded || (transport instanceof StdioTransport && transport.isEnding);
  return connectionOf(client, transport, { ended: ended.promise, hasEnded, door });
}

interface Surroundings {
  readonly ended: Promise<string>;
  /** Also while it ends. */
  readonly hasEnded: () => boolean;
  readonly door: SignInDoor | undefined;
}

function connectionOf(client: Client, transport: Transport, { ended, hasEnded, door }: Surroundings): McpConnection {
  const { tools, resources, prompts } = client.getServerCapabilities() ?? {};
  return {
    abilities: { tools: tools !== undefined, resources: resources !== undefined, prompts: prompts !== undefined },
    ended,
    async request(method, params, { signal, onProgress }) {
      const signedInBefore = door?.signIn.count ?? 0;
      const abort = new AbortController();
      const stop = (): void => abort.abort('cancelled');
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
      try {
        return await client.request({ method, params } as Parameters<Client['request']>[0], ResultSchema, {
          signal: abort.signal,
          timeout: NEVER_MS,
          ...(onProgress ? { onprogress: (progress) => onProgress(progressLine(progress)) } : {}),
        });
      } catch (error) {
        // Never told by the words of the error, nor by its code: the server may have chosen them.
        if (hasEnded()) throw new ConnectionEnded('the connection has ended', { cause: error });
        if (signal.aborted) throw error;
        if (door && isUnauthorized(error)) {
          // A service may take its time: a call that is cancelled does not wait for it.
          const words = await Promise.race([door.words(error, signedInBefore), aborted(signal, client).then(() => undefined)]);
          if (words !== undefined) throw new RequestRefused(startWords(words), error);
          throw error;
        }
        // A server that has forgotten the session, or cannot be reached, is greeted anew before the next call.
        if (isLost(error)) endQuietly(client);
        throw isAnswer(error) ? error : new AnswerLost(wordsOfError(error), { cause: error });
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
    async close() {
      if (transport instanceof StreamableHTTPClientTransport)
        await Promise.race([transport.terminateSession().catch(() => undefined), delay(1_000, undefined, { ref: false })]);
      await client.close();
      await transport.close();
    },
  };
}

/** Its end is told by `onclose`, whatever goes wrong at it. */
function endQuietly(client: Client): void {
  client.close().catch(() => undefined);
}

function transportTo({ config, folder, marker, onLeader, signIn }: McpConnectOptions, lost: LostAnswers, surroundings: McpSurroundings): Transport {
  if (config.kind === 'stdio') {
    const { name, command, args, env } = config;
    return new StdioTransport({ server: name, command, args, env, cwd: config.cwd ?? folder, marker, onLeader, seat: (start) => surroundings.seat(start) });
  }
  const door = signIn instanceof SignInDoor ? signIn : undefined;
  const transport = new StreamableHTTPClientTransport(new URL(config.url), {
    fetch: lost.watched(door?.fetch ?? fetchFor(config, surroundings.networkFor(config).fetch)),
    redirectPolicy: 'same-origin',
    ...(door ? { authProvider: door.signIn.tokens } : {}),
  }) as Transport;
  lost.hear(transport);
  return transport;
}

function progressLine({ progress, total, message }: { progress: number; total?: number | undefined; message?: string | undefined }): string {
  return `${total === undefined ? progress : `${progress}/${total}`}${message === undefined ? '' : ` ${message}`}\n`;
}

function isLost(error: unknown): boolean {
  if (isUnauthorized(error)) return true;
  if (error instanceof StreamableHTTPError) return error.code === 404;
  return error instanceof TypeError && /fetch failed/i.test(error.message);
}

interface Attempt {
  readonly transport: Transport;
  readonly signedInBefore: number;
}

async function startFault(error: unknown, { config, folder, signIn }: McpConnectOptions, { transport, signedInBefore }: Attempt): Promise<StartWords | string> {
  const code = errorCode(error);
  if (config.kind === 'stdio') {
    const why = await whyNotStarted(code, { command: config.command, folder: config.cwd ?? folder, path: config.env['PATH'] });
    if (why !== undefined) return why;
  }
  if (!isUnauthorized(error)) return wordsOf(transport, wordsOfError(error));
  if (signIn instanceof SignInDoor) return signIn.words(error, signedInBefore);
  return 'it does not take the Authorization of mcp.json (401). Set a valid one there: it is tried as soon as the file is saved';
}

function startWords(words: StartWords | string): StartWords {
  return typeof words === 'string' ? { said: words, logged: words } : words;
}

/** Whether the server has answered, and not the way to it. */
function isAnswer(error: unknown): boolean {
  if (error instanceof McpError) return error.data !== LOST_MARK;
  return error instanceof StreamableHTTPError;
}

/** Also when tokens could not be made new: then a person signs in again. */
function isUnauthorized(error: unknown): boolean {
  return error instanceof UnauthorizedError || error instanceof OAuthError || (error instanceof StreamableHTTPError && error.code === 401);
}

function wordsOf(transport: Transport, otherwise: string): string {
  return (transport instanceof StdioTransport && transport.lastWords) || otherwise;
}

function tail(transport: Transport): string {
  const words = wordsOf(transport, '');
  return words === '' ? '' : `; ${words}`;
}

export function sdkWith(surroundings: McpSurroundings): McpSdk {
  return {
    connect: (options) => connect(options, surroundings),
    doorOf: (config, credentials, onSignedIn) => doorOf(config, { credentials, surroundings, onSignedIn }),
    inputCheck,
  };
}
