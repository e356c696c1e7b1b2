import { cleanText } from '@tendon/protocol/truncation';
import type { Neighbours } from '../neighbours/index.ts';
import type { OutputTails } from './output-tails.ts';
import type { Fanout } from './ports.ts';

export interface OutputWays {
  readonly tails: Pick<OutputTails, 'add'>;
  readonly fanout: Fanout;
  readonly neighbours: Neighbours;
}

interface Piece {
  readonly sessionId: string;
  readonly callId: string;
  /** Place of `text` in the call's output, in UTF-16 units. */
  readonly offset: number;
  readonly text: string;
}

/** Shows a piece of a running call's output to whoever looks, here and at other nodes; what has been shown is not shown again. */
export function showOutput({ tails, fanout, neighbours }: OutputWays, { sessionId, callId, offset, text }: Piece): void {
  const added = tails.add(callId, offset, text);
  if (!added) return;
  const delta = { sessionId, messageId: callId, part: 0, kind: 'tool_output' as const, ...added };
  fanout.toSession(sessionId, 'session:delta', delta);
  if (neighbours.isWatched(sessionId)) neighbours.tell({ kind: 'delta', delta });
}

const TICK_MS = 50;
/** What says more than this between two ticks loses the older part of its live output. */
const PENDING_UNITS = 64 * 1024;

/** Live output of one call that runs in this node, gathered so that one that says much costs little. */
export class OutputGatherer {
  readonly #show: (offset: number, text: string) => void;
  #offset = 0;
  #text = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(show: (offset: number, text: string) => void) {
    this.#show = show;
  }

  add(text: string): void {
    this.#text += cleanText(text);
    const excess = this.#text.length - PENDING_UNITS;
    if (excess > 0) {
      // From a whole character on.
      const cut = (this.#text.charCodeAt(excess) & 0xfc00) === 0xdc00 ? excess + 1 : excess;
      this.#text = this.#text.slice(cut);
      this.#offset += cut;
    }
    this.#timer ??= setTimeout(() => this.flush(), TICK_MS);
  }

  /** Shows what is left. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#text === '') return;
    const [offset, text] = [this.#offset, this.#text];
    this.#offset += text.length;
    this.#text = '';
    this.#show(offset, text);
  }
}
