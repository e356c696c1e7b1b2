import { setTimeout as delay } from 'node:timers/promises';
import { aborted } from 'node:util';
import type { Log } from '@tendon/protocol';
import { failedResult, type ToolResult } from '@tendon/protocol';
import { cutMiddle } from '@tendon/protocol/truncation';
import { z } from 'zod';
import type { McpServerConfig } from './mcp-config.ts';
import {
  AnswerLost,
  ConnectionEnded,
  type McpAbilities,
  type McpConnect,
  type McpConnection,
  type McpDoor,
  McpStartError,
  RequestRefused,
  type StartWords,
} from './mcp-connection.ts';
import type { McpProcesses } from './mcp-processes.ts';
import { toolResultOf } from './mcp-results.ts';
import type { McpPlace, McpRun } from './mcp-run.ts';
import { NOTHING_HIDDEN, type SecretFilter, secretFilter } from './mcp-secrets.ts';

/*
 *   idle ──start──► starting ──greeted, tools listed──► ready ──its end──► waiting ──delay over──► starting
 *                      └──fault──► waiting                any ──close──► closed
 *
 * Its tools stay announced while it is away: a list that comes and goes would cost the model its place.
 */
type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'starting'; readonly settled: Promise<void> }
  | { readonly kind: 'ready'; readonly connection: McpConnection; readonly sinceMs: number }
  | { readonly kind: 'waiting'; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'closed'; readonly why: string };

const listedTool = z.looseObject({
  name: z.string().min(1).max(1_000),
  title: z.string().optional(),
  description: z.string().optional(),
  inputSchema: z.record(z.string(), z.unknown()),
});
/** A tool as its server describes it. */
export type ListedTool = Pick<z.infer<typeof listedTool>, 'name' | 'title' | 'description' | 'inputSchema'>;

export interface McpServerOptions {
  readonly config: McpServerConfig;
  readonly connect: McpConnect;
  readonly doorOf: (onSignedIn: () => void) => McpDoor | undefined;
  readonly processes: Pick<McpProcesses, 'begin'>;
  readonly place: McpPlace;
  readonly folder: string;
  readonly version: string;
  readonly log: Log;
  readonly monotonicMs: () => number;
  /** Source of the jitter between tries, in [0, 1). */
  readonly random: () => number;
  readonly onTools: () => void;
  /** It runs now, or no longer. */
  readonly onState: () => void;
}

/** `sign_in`: it fails until a person has signed in. Secrets of mcp.json are not in the reason, wherever it runs. */
export type McpStatus = { readonly state: 'starting' | 'running' } | { readonly state: 'failed' | 'sign_in'; readonly reason: string };

export interface McpAsk {
  readonly method: string;
  readonly params: Record<string, unknown>;
}

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;
const STABLE_MS = 60_000;
const MAX_PAGES = 50;
const LIST_LIMIT_MS = 60_000;
/** What ends is told a moment after its open requests have failed; to end its processes takes a little longer. */
const END_LIMIT_MS = 5_000;
/** Between two lists of a server that says again and again that its list has changed; doubled while it goes on. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** More of a list is not kept: a machine announces fewer. */
const MAX_LISTED = 1_000;
const MAX_LISTED_UNITS = 4 * 1024 * 1024;

const NOBODY_KNOWS = 'Nobody can say whether it was done: look at its effects before you ask again.';
const RUNS: StartWords = { said: '', logged: '' };
/** Of an answer that is no message all of its body may be in the words, and they are logged with each try. The address of a sign-in stands at their end. */
const MAX_WORDS_UNITS = 8_000;

/** One server of mcp.json, kept running from start to close. */
export class McpServer {
  readonly name: string;
  readonly #options: McpServerOptions;
  readonly #log: Log;
  readonly #closing = new AbortController();
  readonly #door: McpDoor | undefined;
  readonly #hidden: SecretFilter;
  /** For what people are shown from afar. */
  readonly #shown: SecretFilter;
  #state: State = { kind: 'idle' };
  #failures = 0;
  /** Of the last end or fault; empty while it runs. */
  #words: StartWords = RUNS;
  #reason = '';
  #tools: readonly ListedTool[] = [];
  #abilities: McpAbilities = { tools: false, resources: false, prompts: false };
  #listing: Promise<void> | undefined;
  #isStale = false;
  #pauseMs = FIRST_PAUSE_MS;
  /** What a refused request was last said to want. */
  #wish = '';

  constructor(options: McpServerOptions) {
    this.#options = options;
    this.name = options.config.name;
    this.#log = options.log.child({ mcpServer: this.name });
    this.#shown = secretFilter(options.config);
    this.#hidden = options.place.hidesSecrets ? this.#shown : NOTHING_HIDDEN;
    this.#door = options.doorOf(() => this.#signedIn());
  }

  /** The last list that was heard. */
  get tools(): readonly ListedTool[] {
    return this.#tools;
  }

  get abilities(): McpAbilities {
    return this.#abilities;
  }

  /** Whether it runs, and why not, without what only a log may hold. */
  get status(): McpStatus {
    if (this.#state.kind === 'ready') return { state: 'running' };
    const reason = this.#reason;
    if (reason === '') return { state: 'starting' };
    return { state: this.#words.isSignIn === true ? 'sign_in' : 'failed', reason };
  }

  start(): void {
    if (this.#state.kind !== 'idle' && this.#state.kind !== 'waiting') return;
    if (this.#state.kind === 'waiting') clearTimeout(this.#state.timer);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#state = { kind: 'starting', settled: promise };
    this.#connect()
      .catch((error: unknown) => this.#failed(wordsOfStart(error)))
      .finally(resolve);
  }

  /** Ends the server with all its processes; calls that it is at work on fail with `why`. May be called twice. */
  async close(why = `the ${this.#options.place.name} is stopping`): Promise<void> {
    const before = this.#state;
    if (before.kind !== 'closed') this.#state = { kind: 'closed', why };
    this.#closing.abort();
    if (before.kind === 'waiting') clearTimeout(before.timer);
    // A start may be about to begin a sign-in, which ends with its door.
    await this.#door?.close();
    if (before.kind === 'starting') await before.settled;
    if (before.kind === 'ready') await before.connection.close();
  }

  callTool(tool: string, input: unknown, context: McpRun): Promise<ToolResult> {
    return this.ask({ method: 'tools/call', params: { name: tool, arguments: input } }, context, toolResultOf);
  }

  /** Asks once, and never again by itself: whatever goes wrong becomes a failed result that says what. */
  async ask({ method, params }: McpAsk, context: McpRun, resultOf: (answer: Record<string, unknown>) => ToolResult): Promise<ToolResult> {
    const { signal } = context;
    const startedAt = this.#options.monotonicMs();
    const durationMs = (): number => Math.round(this.#options.monotonicMs() - startedAt);
    const connection = await this.#readyConnection(signal);
    if (signal.aborted) return this.#options.place.endedEarly(signal, durationMs());
    if (!connection) return failedResult('mcp_unavailable', this.#absence());
    try {
      const onProgress = (text: string): void => context.onOutput(this.#hidden.text(text));
      const answer = await connection.request(method, params, { signal, onProgress });
      const result = resultOf(this.#hidden.value(answer));
      return { ...result, meta: { ...result.meta, durationMs: durationMs() } };
    } catch (error) {
      const fault = this.#hidden.text(await this.#fault(connection, error, signal));
      return signal.aborted ? this.#options.place.endedEarly(signal, durationMs()) : failedResult('mcp_failed', fault, { durationMs: durationMs() });
    }
  }

  async #readyConnection(signal: AbortSignal): Promise<McpConnection | undefined> {
    if (this.#state.kind === 'starting') await Promise.race([this.#state.settled, aborted(signal, this)]);
    return this.#state.kind === 'ready' ? this.#state.connection : undefined;
  }

  #absence(): string {
    if (this.#state.kind === 'closed') return `The MCP server "${this.name}" has ended, so nothing was done: ${this.#state.why}.`;
    const why = this.#words.said || 'it has not started yet';
    return `The MCP server "${this.name}" does not run now, so nothing was done: ${why}. It is tried again by itself; ask again in a while, or do it another way.`;
  }

  async #fault(connection: McpConnection, error: unknown, signal: AbortSignal): Promise<string> {
    // Hidden before it is cut: half a secret is not found.
    const cause = this.#told(error instanceof Error ? error.message : String(error));
    const late = (): Promise<string> => delay(END_LIMIT_MS, cause, { signal, ref: false }).catch(() => cause);
    if (error instanceof RequestRefused) return this.#refused(error.words);
    if (error instanceof AnswerLost) return `The answer of the MCP server "${this.name}" was lost (${cause.slice(0, 4_000)}). ${NOBODY_KNOWS}`;
    const ended = error instanceof ConnectionEnded ? await Promise.race([connection.ended, late()]) : undefined;
    if (ended === undefined) return `The MCP server "${this.name}" answered with an error: ${cause.slice(0, 4_000)}`;
    if (this.#state.kind === 'closed') return `The MCP server "${this.name}" was ended while this ran: ${this.#state.why}. ${NOBODY_KNOWS}`;
    return `The MCP server "${this.name}" ended while this ran (${this.#told(ended)}). ${NOBODY_KNOWS} The server is started again by itself.`;
  }

  #refused(words: StartWords): string {
    const { said, logged } = { said: this.#told(words.said), logged: this.#told(words.logged) };
    if (logged !== this.#wish) this.#log.warn({ reason: logged }, `the MCP server "${this.name}" has refused a request: ${logged}`);
    this.#wish = logged;
    return `The MCP server "${this.name}" refused this, and nothing was done: ${said}. Ask again after that.`;
  }

  async #connect(): Promise<void> {
    const { config, connect, processes, folder, version } = this.#options;
    const mark = await processes.begin();
    let connection: McpConnection | undefined;
    try {
      connection = await connect({
        ...{ config, folder, version, marker: mark.marker, signal: this.#closing.signal, onLeader: mark.onLeader, signIn: this.#door },
        onToolsChanged: () => this.#relist(),
      });
      const { ended } = connection;
      void ended.then(() => mark.end());
      this.#abilities = connection.abilities;
      this.#tools = await this.#list(connection);
    } catch (error) {
      await connection?.close();
      if (!connection) await mark.end();
      this.#failed(wordsOfStart(error));
      return;
    }
    if (this.#state.kind === 'closed') return connection.close();
    this.#state = { kind: 'ready', connection, sinceMs: this.#options.monotonicMs() };
    this.#log.info({ count: this.#tools.length }, 'an MCP server is ready');
    this.#words = RUNS;
    this.#reason = '';
    this.#options.onState();
    const { ended } = connection;
    void ended.then((reason) => this.#lost(connection, reason));
    this.#options.onTools();
    if (this.#isStale) this.#relist();
  }

  #lost(connection: McpConnection, reason: string): void {
    if (this.#state.kind !== 'ready' || this.#state.connection !== connection) return;
    if (this.#options.monotonicMs() - this.#state.sinceMs >= STABLE_MS) this.#failures = 0;
    this.#failed({ said: reason, logged: reason });
  }

  #failed({ said, logged, isSignIn = false }: StartWords): void {
    const words = { said: this.#told(said), logged: this.#told(logged), isSignIn };
    if (this.#state.kind === 'closed') return;
    const bound = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    const delayMs = Math.round(bound * this.#options.random());
    const reason = words.logged;
    if (reason !== this.#words.logged) this.#log.warn({ reason, waitMs: delayMs }, `the MCP server "${this.name}" does not run: ${reason}`);
    this.#words = words;
    this.#reason = this.#told(this.#shown.text(said));
    this.#state = { kind: 'waiting', timer: setTimeout(() => this.start(), delayMs) };
    this.#options.onState();
  }

  #told(said: string): string {
    return cutMiddle(this.#hidden.text(said), MAX_WORDS_UNITS).text;
  }

  #signedIn(): void {
    this.#failures = 0;
    if (this.#state.kind === 'waiting') this.start();
  }

  /** Lists again; once more when told so meanwhile. */
  #relist(): void {
    this.#isStale = true;
    if (this.#state.kind !== 'ready' || this.#listing) return;
    this.#listing = this.#listAgain(this.#state.connection).finally(() => {
      this.#listing = undefined;
      if (this.#isStale) this.#relist();
    });
  }

  async #listAgain(connection: McpConnection): Promise<void> {
    this.#isStale = false;
    try {
      this.#tools = await this.#list(connection);
      this.#options.onTools();
    } catch (error) {
      const reason = this.#told(error instanceof Error ? error.message : String(error));
      this.#log.warn({ reason }, 'the tools of an MCP server could not be listed again');
    }
    await delay(this.#pauseMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    this.#pauseMs = this.#isStale ? Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2) : FIRST_PAUSE_MS;
  }

  async #list(connection: McpConnection): Promise<readonly ListedTool[]> {
    if (!connection.abilities.tools) return [];
    const tools: ListedTool[] = [];
    const faults: string[] = [];
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(LIST_LIMIT_MS)]);
    let cursor: unknown;
    let units = 0;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const answer = await connection.request('tools/list', cursor === undefined ? {} : { cursor }, { signal });
      for (const listed of Array.isArray(answer['tools']) ? answer['tools'] : []) {
        const { data, error } = listedTool.safeParse(this.#hidden.value(listed));
        if (error) faults.push(error.issues[0]?.message ?? 'not a tool');
        units += data ? JSON.stringify(data).length : 0;
        if (data && tools.length < MAX_LISTED && units <= MAX_LISTED_UNITS) tools.push(data);
      }
      cursor = answer['nextCursor'];
      if (typeof cursor !== 'string' || tools.length === MAX_LISTED || units > MAX_LISTED_UNITS) break;
    }
    if (faults.length > 0) this.#log.warn({ reason: faults[0], count: faults.length }, 'tools of an MCP server have no proper definition and are left out');
    if (tools.length === MAX_LISTED || units > MAX_LISTED_UNITS)
      this.#log.warn({ count: tools.length }, 'an MCP server lists more tools than are read: the others are left out');
    return tools;
  }
}

function wordsOfStart(error: unknown): StartWords {
  if (error instanceof McpStartError) return error.words;
  const said = error instanceof Error ? error.message : String(error);
  return { said, logged: said };
}
