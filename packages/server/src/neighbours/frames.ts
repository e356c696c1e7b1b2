/** PostgreSQL takes 7,999 bytes in one notification; sender and number come on top. */
const TEXT_LENGTH = 7_900;

/*
 * A text on its way, in frames of ASCII, whatever the database's encoding:
 *
 *   sender number = whole text
 *   sender number < first part    sender number + next part    sender number > last part
 *
 * The number grows by one with every frame of a sender. It tells when one is missing, and keeps PostgreSQL from taking two equal
 * frames for one.
 */

export class FrameWriter {
  readonly #sender: string;
  #number = 0;

  constructor(sender: string) {
    this.#sender = sender;
  }

  frames(text: string): string[] {
    const ascii = text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
    const frames: string[] = [];
    for (let from = 0; from === 0 || from < ascii.length; from += TEXT_LENGTH) {
      const isLast = from + TEXT_LENGTH >= ascii.length;
      const mark = from === 0 ? (isLast ? '=' : '<') : isLast ? '>' : '+';
      this.#number += 1;
      frames.push(`${this.#sender} ${this.#number} ${mark}${ascii.slice(from, from + TEXT_LENGTH)}`);
    }
    return frames;
  }

  /** Something is not sent: who listens shall know. */
  skip(): void {
    this.#number += 1;
  }
}

interface Sender {
  number: number;
  /** Undefined between two texts, and while the rest of one goes by that lost a part. */
  text: string | undefined;
}

/** More nodes than share a database, with those that have ended lately. */
const SENDERS = 100;

const FRAME = /^(\S{1,64}) (\d{1,15}) ([=<+>])/;

export class FrameReader {
  readonly #self: string;
  readonly #senders = new Map<string, Sender>();

  constructor(self: string) {
    this.#self = self;
  }

  /** A whole text when this frame is its last; `missed` when the frame before it never came. */
  read(frame: string): { readonly text?: string; readonly missed: boolean } {
    const [head, name = '', number, mark] = FRAME.exec(frame) ?? [];
    if (head === undefined || name === this.#self) return { missed: false };
    const sender = this.#senders.get(name) ?? { number: Number(number) - 1, text: undefined };
    this.#remember(name, sender);
    const missed = Number(number) !== sender.number + 1;
    sender.number = Number(number);
    const before = mark === '=' || mark === '<' ? '' : missed ? undefined : sender.text;
    const text = before === undefined ? undefined : before + frame.slice(head.length);
    const isWhole = mark === '=' || mark === '>';
    sender.text = isWhole ? undefined : text;
    return isWhole && text !== undefined ? { text, missed } : { missed };
  }

  /** Every start of a node is a new sender: those that were silent longest go. */
  #remember(name: string, sender: Sender): void {
    this.#senders.delete(name);
    this.#senders.set(name, sender);
    const [oldest] = this.#senders.keys();
    if (this.#senders.size > SENDERS && oldest !== undefined) this.#senders.delete(oldest);
  }
}
