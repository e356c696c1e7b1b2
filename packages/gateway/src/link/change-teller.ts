import type { GatewayRequest, Log } from '@tendon/protocol';
import { acknowledged } from './acknowledgement.ts';
import type { GatewaySocket } from './gateway-socket.ts';

/** What a hello tells, and an event of its own tells again. */
type Told = 'gateway:tools' | 'gateway:mcp';

export interface ChangeTellerOptions<Name extends Told> {
  readonly name: Name;
  /** For the log: `the tools`. */
  readonly what: string;
  /** What is true now. */
  readonly now: () => GatewayRequest<Name>;
  /** Changes that come one after the other in such a time cost one packet. */
  readonly gatherMs: number;
  readonly online: () => GatewaySocket | undefined;
  readonly giveUp: (cause: string) => void;
  readonly log: Log;
}

const ANSWER_TIMEOUT_MS = 15_000;

/**
 * Keeps right what the server knows of this machine's tools, or of its MCP servers: a hello tells it, and an event tells it again when it has
 * changed since.
 *
 *   told ──it changes──► behind ──gathered, and online──► asking ──answered──► told, or behind again
 */
export class ChangeTeller<Name extends Told> {
  readonly #options: ChangeTellerOptions<Name>;
  #told = '';
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;
  #isClosed = false;

  constructor(options: ChangeTellerOptions<Name>) {
    this.#options = options;
  }

  /** What the next hello says. */
  forHello(): GatewayRequest<Name> {
    const now = this.#options.now();
    this.#told = JSON.stringify(now);
    return now;
  }

  /** It may have changed, or the link is online. */
  look(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#tell();
    }, this.#options.gatherMs);
  }

  /** May be called twice. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #tell(): Promise<void> {
    const { name, what } = this.#options;
    const socket = this.#options.online();
    const now = this.#options.now();
    const text = JSON.stringify(now);
    if (!socket || this.#isAsking || text === this.#told) return;
    this.#isAsking = true;
    const answer = await acknowledged(name, socket.request(name, now, ANSWER_TIMEOUT_MS));
    this.#isAsking = false;
    // Another connection has said hello meanwhile, with what is true now.
    if (this.#options.online() !== socket || this.#isClosed) return;
    if (answer.kind === 'silent' || (answer.kind === 'refused' && answer.isRetryable)) return this.#options.giveUp(`${what} could not be told`);
    this.#told = text;
    if (answer.kind === 'refused')
      this.#options.log.warn(
        { code: answer.code },
        `the server does not take it that ${what} have changed: it learns of that when the gateway connects the next time`,
      );
    this.look();
  }
}
