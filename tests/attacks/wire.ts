import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { until } from '@tendon/testing';

/** `up`: from a client to the server; `down`: back. */
type Direction = 'up' | 'down';

export interface Captured {
  readonly direction: Direction;
  /** Of the event; of an acknowledgement it is empty. */
  readonly name: string;
  readonly text: string;
}

interface Link {
  readonly near: Socket;
  readonly far: Socket;
}

interface Frame {
  readonly raw: Buffer;
  readonly text: string;
}

const TEXT = 0x1;
const EVENT = /^42\/\w+,(\d*)\["([^"]*)"/;
const ACKNOWLEDGEMENT = /^43\/\w+,(\d+)\[/;
/** Beyond what anybody counts to here. */
const FIRST_NUMBER = 1_000_000;

/**
 * A proxy on loopback that knows the frames of a WebSocket: it keeps every event and acknowledgement of Socket.IO that passes, passes it on twice
 * while it is told to, and says it again later.
 */
export class Wire implements AsyncDisposable {
  readonly captured: Captured[] = [];
  /** What is passed on twice. */
  doubles: (captured: Captured) => boolean = () => false;
  readonly #server: Server;
  readonly #host: string;
  readonly #links = new Set<Link>();
  readonly #unanswered = new Set<number>();
  readonly #changes = new EventTarget();
  #number = FIRST_NUMBER;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#host = `127.0.0.1:${port}`;
    server.on('connection', (near) => this.#pass(near, connect(port, '127.0.0.1')));
  }

  static async start(port: number): Promise<Wire> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Wire(server, port);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends what is connected. New connections are taken. */
  cut(): void {
    for (const { near, far } of this.#links) for (const socket of [near, far]) socket.destroy();
  }

  /** Says events again on the newest connection, one after the other: each that wants an answer has it, under a number of its own, before the next. */
  async replay(events: readonly Captured[]): Promise<void> {
    const link = [...this.#links].at(-1);
    if (!link) throw new Error('nobody is connected');
    for (const { direction, name, text } of events) {
      const numbered = text.replace(/^(42\/\w+,)\d+/, (_, head: string) => `${head}${this.#take()}`);
      if (direction === 'up') link.far.write(frameOf(numbered, Buffer.alloc(4)));
      else link.near.write(frameOf(numbered, undefined));
      await this.#answered(name);
    }
  }

  #answered(name: string): Promise<boolean> {
    return until({
      what: `the repeat of ${name} to be answered`,
      check: () => this.#unanswered.size === 0,
      on: (look) => {
        this.#changes.addEventListener('answer', look);
        return () => this.#changes.removeEventListener('answer', look);
      },
      deadlineMs: 20_000,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(): number {
    this.#number += 1;
    this.#unanswered.add(this.#number);
    return this.#number;
  }

  #pass(near: Socket, far: Socket): void {
    const link = { near, far };
    this.#links.add(link);
    for (const [from, to, direction] of [
      [near, far, 'up'],
      [far, near, 'down'],
    ] as const) {
      const frames = frameReader();
      from.on('data', (chunk: Buffer) => {
        const { head, whole } = frames(chunk);
        // The door of the server takes its own name alone.
        to.write(direction === 'up' ? head.toString('latin1').replace(/^(host): .*$/im, `$1: ${this.#host}`) : head, 'latin1');
        for (const frame of whole) this.#forward(frame, direction, to);
      });
      from.on('error', () => to.destroy());
      from.once('close', () => {
        this.#links.delete(link);
        to.destroy();
      });
    }
  }

  #forward({ raw, text }: Frame, direction: Direction, to: Socket): void {
    const number = Number(ACKNOWLEDGEMENT.exec(text)?.[1] ?? 0);
    if (number >= FIRST_NUMBER) {
      this.#unanswered.delete(number);
      this.#changes.dispatchEvent(new Event('answer'));
      return;
    }
    to.write(raw);
    const event = EVENT.exec(text);
    if (!event && !ACKNOWLEDGEMENT.test(text)) return;
    const captured = { direction, name: event?.[2] ?? '', text };
    this.captured.push(captured);
    if (this.doubles(captured)) to.write(raw);
  }
}

/** Cuts a stream into the head of HTTP, which is left as it is, and the frames after it (RFC 6455, section 5.2). */
function frameReader(): (chunk: Buffer) => { head: Buffer; whole: Frame[] } {
  let unread = Buffer.alloc(0);
  let isOpen = false;
  return (chunk) => {
    unread = Buffer.concat([unread, chunk]);
    let head = Buffer.alloc(0);
    if (!isOpen) {
      const end = unread.indexOf('\r\n\r\n');
      if (end === -1) return { head, whole: [] };
      isOpen = true;
      head = unread.subarray(0, end + 4);
      unread = unread.subarray(end + 4);
    }
    const whole: Frame[] = [];
    for (let frame = firstFrame(unread); frame; frame = firstFrame(unread)) {
      whole.push(frame);
      unread = unread.subarray(frame.raw.length);
    }
    return { head, whole };
  };
}

function firstFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 2) return undefined;
  const isMasked = (bytes.readUInt8(1) & 0x80) !== 0;
  const short = bytes.readUInt8(1) & 0x7f;
  const start = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (isMasked ? 4 : 0);
  if (bytes.length < start) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < start + length) return undefined;
  const payload = Buffer.from(bytes.subarray(start, start + length));
  if (isMasked) for (const [index, byte] of payload.entries()) payload[index] = byte ^ bytes.readUInt8(start - 4 + (index % 4));
  return { raw: Buffer.from(bytes.subarray(0, start + length)), text: (bytes.readUInt8(0) & 0x0f) === TEXT ? payload.toString() : '' };
}

/** One text frame. A client masks; zeros leave the bytes as they are. */
function frameOf(text: string, mask: Buffer | undefined): Buffer {
  const payload = Buffer.from(text);
  const bit = mask ? 0x80 : 0;
  const head = Buffer.alloc(10);
  head.writeUInt8(0x80 | TEXT, 0);
  head.writeUInt8(bit | 127, 1);
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, mask ?? Buffer.alloc(0), payload]);
}
