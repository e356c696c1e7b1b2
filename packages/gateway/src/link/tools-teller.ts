import type { GatewayTool, Log } from '@tendon/protocol';
import { acknowledged } from './acknowledgement.ts';
import type { GatewaySocket } from './gateway-socket.ts';

export interface ToolsTellerOptions {
  readonly announced: () => readonly GatewayTool[];
  readonly online: () => GatewaySocket | undefined;
  readonly giveUp: (cause: string) => void;
  readonly log: Log;
}

const ANSWER_TIMEOUT_MS = 15_000;
/** Servers that announce their lists one after the other cost one packet. */
const GATHER_MS = 100;

/**
 * Keeps the server's list of this machine's tools right: a hello tells them, `gateway:tools` tells them again when they have changed since.
 *
 *   told ──the tools change──► behind ──gathered, and online──► asking ──answered──► told, or behind again
 */
export class ToolsTeller {
  readonly #options: ToolsTellerOptions;
  #told = '';
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;
  #isClosed = false;

  constructor(options: ToolsTellerOptions) {
    this.#options = options;
  }

  /** What the next hello says. */
  forHello(): GatewayTool[] {
    const tools = [...this.#options.announced()];
    this.#told = JSON.stringify(tools);
    return tools;
  }

  /** The tools may have changed, or the link is online. */
  look(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#tell();
    }, GATHER_MS);
  }

  /** May be called twice. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #tell(): Promise<void> {
    const socket = this.#options.online();
    const tools = [...this.#options.announced()];
    const text = JSON.stringify(tools);
    if (!socket || this.#isAsking || text === this.#told) return;
    this.#isAsking = true;
    const answer = await acknowledged('gateway:tools', socket.request('gateway:tools', { tools }, ANSWER_TIMEOUT_MS));
    this.#isAsking = false;
    // Another connection has said hello meanwhile, with what is true now.
    if (this.#options.online() !== socket || this.#isClosed) return;
    if (answer.kind === 'silent' || (answer.kind === 'refused' && answer.isRetryable)) return this.#options.giveUp('the tools could not be told');
    this.#told = text;
    if (answer.kind === 'refused')
      this.#options.log.warn({ code: answer.code }, 'the server does not take changed tools: it learns of them when the gateway connects the next time');
    this.look();
  }
}
