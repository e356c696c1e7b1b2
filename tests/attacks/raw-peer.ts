import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';

const TEXT_FRAME = 0x81;

/**
 * A WebSocket on bare TCP, which may stop reading and may write what no library would (RFC 6455, section 5.2).
 *
 *   upgraded ──join──► in a namespace ──cut by the server, or `destroy`──► closed
 */
export class RawPeer {
  readonly socket: Socket;
  /** How often each code was answered; `ok` for what was not refused. */
  readonly answers: Record<string, number> = {};
  #unread: Buffer = Buffer.alloc(0);
  #waiting: ((text: string) => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  /** Resolves once the server has taken the upgrade; rejects when it has not. */
  static async open(port: number): Promise<RawPeer> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.on('error', () => socket.destroy());
    await once(socket, 'connect');
    return RawPeer.over(socket, `127.0.0.1:${port}`);
  }

  /** Over a connection that is there: one through TLS, for example. */
  static async over(socket: Socket, host: string): Promise<RawPeer> {
    const key = Buffer.alloc(16).toString('base64');
    socket.write(
      `GET ${SOCKET_PATH}?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    const head = await new Promise<Buffer>((resolve, reject) => {
      socket.once('data', resolve);
      socket.once('close', () => reject(new Error('the upgrade was refused')));
    });
    const end = head.indexOf('\r\n\r\n');
    if (!head.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) throw new Error(`the upgrade was answered ${head.subarray(0, 60)}`);
    const peer = new RawPeer(socket);
    peer.#read(head.subarray(end + 4));
    return peer;
  }

  /** Signs in at a namespace. The server's answer, refusals included; undefined when the connection ended instead. */
  async join(namespace: string, token: string): Promise<string | undefined> {
    const answer = this.#next(/^4[04]/);
    this.send(`40${namespace},${JSON.stringify({ protocol: PROTOCOL_VERSION, token, client: { name: 'flood', version: '1' } })}`);
    return answer;
  }

  /** Sends a request and resolves with its answer, or the next one of another; undefined when the connection ended instead. */
  async ask(text: string): Promise<string | undefined> {
    const answer = this.#next(/^43/);
    this.send(text);
    return answer;
  }

  get isOpen(): boolean {
    return !this.socket.destroyed;
  }

  /** Writes one text frame. False when the peer's buffer is full: see `ready`. */
  send(text: string): boolean {
    return this.socket.write(frameOf(Buffer.from(text)));
  }

  /** Writes the beginning of one text frame, and no more of it. False as with `send`. */
  begin(text: string, bytes: number): boolean {
    return this.socket.write(frameOf(Buffer.from(text)).subarray(0, bytes));
  }

  /** Resolves when more may be written, or nothing more ever. */
  ready(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.socket.off('drain', done).off('close', done);
        resolve();
      };
      this.socket.on('drain', done).on('close', done);
      if (this.socket.destroyed) done();
    });
  }

  destroy(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    for (let frame = nextFrame(this.#unread); frame; frame = nextFrame(this.#unread)) {
      this.#unread = this.#unread.subarray(frame.end);
      this.#hear(frame.text);
    }
  }

  #next(pattern: RegExp): Promise<string | undefined> {
    return new Promise((resolve) => {
      const ended = (): void => resolve(undefined);
      this.#waiting = (text) => {
        if (!pattern.test(text)) return;
        this.socket.off('close', ended);
        resolve(text);
      };
      this.socket.once('close', ended);
      if (this.socket.destroyed) ended();
    });
  }

  #hear(text: string): void {
    if (text === '2') this.send('3');
    this.#waiting?.(text);
    const answer = /^43\/\w+,\d+\[\{"ok":(?:true|false,"error":\{"code":"(\w+)")/.exec(text.slice(0, 200));
    if (answer) this.answers[answer[1] ?? 'ok'] = (this.answers[answer[1] ?? 'ok'] ?? 0) + 1;
  }
}

/** Masked with zeros, which leaves the bytes as they are. */
function frameOf(payload: Buffer): Buffer {
  const mask = Buffer.alloc(4);
  if (payload.length < 126) return Buffer.concat([Buffer.from([TEXT_FRAME, 0x80 | payload.length]), mask, payload]);
  if (payload.length < 65_536) {
    const head = Buffer.from([TEXT_FRAME, 0x80 | 126, 0, 0]);
    head.writeUInt16BE(payload.length, 2);
    return Buffer.concat([head, mask, payload]);
  }
  const head = Buffer.alloc(10);
  head.set([TEXT_FRAME, 0x80 | 127]);
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, mask, payload]);
}

/** The first whole frame of these bytes, which a server never masks. */
function nextFrame(bytes: Buffer): { readonly text: string; readonly end: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const head = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < head) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < head + length) return undefined;
  return { text: bytes.toString('utf8', head, head + length), end: head + length };
}
