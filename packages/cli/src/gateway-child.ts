import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { childMessageSchema, type ParentMessage } from './gateway-messages.ts';
import gatewayNodeFlags from './gateway-node-flags.json' with { type: 'json' };

/**
 * Keeps one `tendon gateway` process running beside the server:
 *
 *   starting ── "identify", answered with its key ──► dialing ── "online" ──► online ── exits ──► waiting (backoff) ──► starting
 *      └── exits ──► waiting            any ── close ──► closed
 *      └── exits with 2 (its settings are wrong) ──► given up
 *
 * A process of its own, so that a tool that eats memory or crashes takes no session with it. It ends when we do: it watches the IPC
 * channel, which the kernel closes however we die.
 */
export interface GatewayChildOptions {
  readonly serverUrl: string;
  readonly home: string;
  readonly workspace: string;
  /** The key for the machine of this id. */
  readonly credential: (gatewayId: string) => Promise<string>;
  readonly onNotice: (message: string) => void;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;
const STABLE_MS = 60_000;
const END_LIMIT_MS = 5_000;
/**
 * V8 lets what is young grow to 16 MB twice while a gateway starts, and gives none of it back to a process that then only waits: 14 MB of
 * 103. A gateway moves bytes and makes little garbage: calls cost the same with a small one (docs/performance.md).
 *
 * Socket.IO's client looks for a global WebSocket when it is loaded, which it does not use here (it has `ws`), and with it Node would load
 * its own undici and HTTP/2: 3 MB.
 */
export const GATEWAY_NODE_FLAGS: readonly string[] = gatewayNodeFlags;

export class GatewayChild {
  readonly #options: GatewayChildOptions;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempt = 0;
  #isClosed = false;
  readonly #firstOnline = Promise.withResolvers<boolean>();

  constructor(options: GatewayChildOptions) {
    this.#options = options;
    this.#start();
  }

  /** Resolves true when it is online for the first time, false when that will not happen. */
  online(): Promise<boolean> {
    return this.#firstOnline.promise;
  }

  /** Its process id, while it has one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Ends the process and everything of it. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#firstOnline.resolve(false);
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const limit = setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS);
    await gone;
    clearTimeout(limit);
  }

  #start(): void {
    const startedAt = performance.now();
    const couldNot = (error: unknown): void =>
      this.#options.onNotice(`the gateway could not be started: ${error instanceof Error ? error.message : String(error)}`);
    try {
      const child = this.#spawn();
      child.on('message', (message) => void this.#heard(child, message));
      child.on('error', couldNot);
      child.once('close', (code, signal) => this.#ended(code, signal, performance.now() - startedAt));
      this.#child = child;
    } catch (error) {
      // Some faults are thrown and not told as an event, such as a Node that is just being replaced.
      couldNot(error);
      this.#ended(-1, null, 0);
    }
  }

  #spawn(): ChildProcess {
    const { serverUrl, home, workspace } = this.#options;
    const words = [join(import.meta.dirname, 'main.js'), 'gateway', '--server', serverUrl, '--home', home, '--workspace', workspace];
    return spawn(process.execPath, [...GATEWAY_NODE_FLAGS, ...words], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: environmentFor(process.env),
    });
  }

  async #heard(child: ChildProcess, message: unknown): Promise<void> {
    const parsed = childMessageSchema.safeParse(message);
    if (!parsed.success) return;
    if (parsed.data.type === 'online') {
      this.#firstOnline.resolve(true);
      return;
    }
    try {
      const key = await this.#options.credential(parsed.data.gatewayId);
      if (child.connected) child.send({ type: 'credential', key } satisfies ParentMessage, () => undefined);
    } catch (error) {
      this.#options.onNotice(`the gateway got no key: ${error instanceof Error ? error.message : String(error)}`);
      child.kill('SIGTERM');
    }
  }

  #ended(code: number | null, signal: NodeJS.Signals | null, livedMs: number): void {
    if (this.#isClosed) return;
    if (code === 2) {
      this.#firstOnline.resolve(false);
      this.#options.onNotice('the gateway cannot run with these settings (see above); mend them and start again. The server goes on without it.');
      return;
    }
    this.#attempt = livedMs >= STABLE_MS ? 0 : this.#attempt + 1;
    const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#attempt, 10));
    const waitMs = Math.round(ceiling * (0.5 + (this.#options.random ?? Math.random)() / 2));
    this.#options.onNotice(`the gateway ended (${signal ?? `code ${code}`}); starting it again in ${waitMs} ms`);
    this.#timer = setTimeout(() => this.#start(), waitMs);
  }
}

/** The machine's hands need no secret of the server: neither its database nor its models' keys reach the process that runs commands. */
function environmentFor(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(env)) {
    const isSecret =
      /^TENDON_(?!(?:LOG_LEVEL|BROWSER_PATH)$)/.test(name) ||
      /^(?:OPENAI|ANTHROPIC|GOOGLE|AZURE|MISTRAL|GROQ|OPENROUTER)_.*(?:KEY|TOKEN|SECRET)/.test(name) ||
      name === 'GOOGLE_GENERATIVE_AI_API_KEY';
    if (!isSecret) kept[name] = value;
  }
  return kept;
}
