import { PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { until, within } from '@tendon/testing';

interface Answer {
  readonly ok?: boolean;
  readonly error?: { readonly code: string };
}

const OPEN_LIMIT_MS = 15_000;

/** One signed-in connection, on which any text may be sent as it is. */
export class RawSocket {
  /** By the number of their request. */
  readonly answers = new Map<number, Answer>();
  readonly #socket: WebSocket;
  readonly #namespace: string;
  readonly #watchers = new Set<() => void>();
  #isWelcome = false;

  private constructor(socket: WebSocket, namespace: string) {
    this.#socket = socket;
    this.#namespace = namespace;
    socket.addEventListener('message', ({ data }) => this.#hear(String(data)));
    for (const event of ['close', 'error']) socket.addEventListener(event, () => this.#wake());
  }

  static async open({ url, namespace, key }: { readonly url: string; readonly namespace: string; readonly key: string }): Promise<RawSocket> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${SOCKET_PATH}?EIO=4&transport=websocket`);
    const raw = new RawSocket(socket, namespace);
    const opened = new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', () => reject(new Error('the WebSocket could not be opened')));
    });
    await within('the WebSocket to open', opened, OPEN_LIMIT_MS);
    raw.send(`40${namespace},${JSON.stringify({ protocol: PROTOCOL_VERSION, token: key, client: { name: 'fuzz', version: '1' } })}`);
    await until({ what: 'the welcome', check: () => raw.#isWelcome || undefined, on: (wake) => raw.#watch(wake), deadlineMs: OPEN_LIMIT_MS });
    return raw;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  /** Resolves when all of these are answered, or the connection has ended, or nothing more comes in time. */
  async untilSettled(ids: readonly number[], deadlineMs: number): Promise<void> {
    const isSettled = (): true | undefined => (!this.isOpen || ids.every((id) => this.answers.has(id)) ? true : undefined);
    await until({ what: 'all answers', check: isSettled, on: (wake) => this.#watch(wake), deadlineMs }).catch(() => undefined);
  }

  close(): void {
    this.#socket.close();
  }

  #watch(wake: () => void): () => void {
    this.#watchers.add(wake);
    return () => this.#watchers.delete(wake);
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #hear(text: string): void {
    if (text === '2') this.send('3');
    if (text.startsWith(`40${this.#namespace},`)) this.#isWelcome = true;
    const answer = /^43\/\w+,(\d+)(\[.*)$/s.exec(text);
    if (answer) this.answers.set(Number(answer[1]), (JSON.parse(answer[2] ?? '[]') as [Answer])[0]);
    this.#wake();
  }
}
