import type { ToolResult } from '@tendon/protocol';
import type { Refused } from '../network/egress-proxy.ts';

const MOST_TOLD = 5;
/** One that tries every address of a network must not fill the memory. */
const MOST_KNOWN = 200;

/** The connections of one command that were not made, each target once. */
export class RefusalNotes {
  readonly #messages = new Map<string, string>();
  #isMore = false;
  #later: ((text: string) => void) | undefined;

  add(refused: Refused): void {
    if (this.#messages.has(refused.target)) return;
    if (this.#messages.size >= MOST_KNOWN) {
      this.#isMore = true;
      return;
    }
    this.#messages.set(refused.target, refused.message);
    this.#later?.(`[network: ${refused.message}]\n`);
  }

  /** From now on each is told as it comes. */
  tellLater(tell: (text: string) => void): void {
    this.#later = tell;
  }

  /** Those so far, in one note; empty when there were none. */
  get text(): string {
    if (this.#messages.size === 0) return '';
    const told = [...this.#messages.values()].slice(0, MOST_TOLD);
    const rest = this.#messages.size - told.length;
    const more = rest === 0 ? '' : ` So it was with ${rest}${this.#isMore ? ' or more' : ''} further targets.`;
    return `[network: connections of this command were not made. ${told.join(' ')}${more}]`;
  }
}

/** What programs say that dial by themselves. */
const LOST = /network is unreachable|could ?n[o']t resolve|name resolution|connection refused|failed to connect|ENETUNREACH|ECONNREFUSED|EAI_AGAIN|ENOTFOUND/i;
const LOST_NOTE =
  '[network: it is filtered. It leads out through the proxy in HTTP_PROXY and HTTPS_PROXY alone, which ssh and programs that dial by themselves do not use; localhost is what commands of this session have started. The owner of the machine can change "network" under "sandbox" in its policy file.]';

/** With what was refused, and what may be the matter otherwise. */
export function withNetworkNotes(result: ToolResult, notes: RefusalNotes): ToolResult {
  const isLost = result.content.some((part) => part.type === 'text' && LOST.test(part.text));
  const note = notes.text === '' && isLost ? LOST_NOTE : notes.text;
  return note === '' ? result : { ...result, content: [...result.content, { type: 'text', text: `\n${note}` }] };
}
