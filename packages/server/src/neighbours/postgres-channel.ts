import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '@tendon/protocol';
import pg from 'pg';
import { FrameReader, FrameWriter } from './frames.ts';
import type { NoticeChannel, NoticeEars } from './notice-channel.ts';

const CHANNEL = 'tendon';
/** A database that has not answered for so long is taken for lost. */
const ANSWER_LIMIT_MS = 5_000;
const FRAMES_AT_ONCE = 200;
/** Of what waits to be sent. Beyond it notices are lost, and those who listen are told. */
const WAITING_FRAMES = 4_000;
const LONGEST_PAUSE_MS = 5_000;
const DRAIN_MS = 1_000;

export interface PostgresChannelOptions {
  readonly url: string;
  readonly node: string;
  readonly log: Log;
}

/**
 * Notices by LISTEN and NOTIFY, over one connection of its own: a pooled one might be given back, and behind a pooler that shares
 * connections nothing would be heard.
 *
 *   connecting ──LISTEN──► open ──lost──► waiting ──a while──► connecting
 *
 * While frames are on their way further ones wait and leave together, so that the pace is the database's own.
 */
export function postgresChannel(options: PostgresChannelOptions): NoticeChannel {
  return new PostgresChannel(options);
}

class PostgresChannel implements NoticeChannel {
  readonly #options: PostgresChannelOptions;
  readonly #writer: FrameWriter;
  readonly #reader: FrameReader;
  readonly #closing = new AbortController();
  #waiting: string[] = [];
  #client: pg.Client | undefined;
  #sending: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(options: PostgresChannelOptions) {
    this.#options = options;
    this.#writer = new FrameWriter(options.node);
    this.#reader = new FrameReader(options.node);
  }

  send(text: string): void {
    if (this.#closing.signal.aborted) return;
    if (this.#waiting.length > WAITING_FRAMES) this.#writer.skip();
    else this.#waiting.push(...this.#writer.frames(text));
    this.#sendSoon();
  }

  listen(ears: NoticeEars): void {
    this.#running ??= this.#run(ears);
  }

  async close(): Promise<void> {
    if (this.#sending) await Promise.race([this.#sending, pause(DRAIN_MS)]);
    this.#closing.abort();
    this.#drop(this.#client);
    await this.#running;
  }

  async #run(ears: NoticeEars): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const { lost, client } = this.#newClient(ears);
      try {
        await client.connect();
        await client.query(`listen ${CHANNEL}`);
        attempt = 0;
        this.#client = client;
        ears.missed();
        this.#sendSoon();
        await lost;
      } catch (error) {
        this.#options.log.warn({ err: error, attempt }, 'notices of other nodes cannot be heard; what they say is looked up instead');
      }
      this.#drop(client);
      await pause(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** attempt), undefined, { signal }).catch(() => undefined);
    }
  }

  #newClient(ears: NoticeEars): { client: pg.Client; lost: Promise<void> } {
    const client = new pg.Client({
      connectionString: this.#options.url,
      keepAlive: true,
      connectionTimeoutMillis: ANSWER_LIMIT_MS,
      query_timeout: ANSWER_LIMIT_MS,
      application_name: 'tendon notices',
      // A notice is worth no sync of the disk.
      options: '-c synchronous_commit=off',
    });
    const lost = new Promise<void>((resolve) => {
      client.on('error', () => resolve());
      client.on('end', () => resolve());
    });
    client.on('notification', ({ payload }) => {
      const { text, missed } = this.#reader.read(payload ?? '');
      if (missed) ears.missed();
      if (text !== undefined) ears.heard(text);
    });
    return { client, lost };
  }

  #sendSoon(): void {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    for (let client = this.#client; client && this.#waiting.length > 0; client = this.#client) {
      const frames = this.#waiting.splice(0, FRAMES_AT_ONCE);
      try {
        await client.query({ name: 'notify', text: `select pg_notify('${CHANNEL}', frame) from unnest($1::text[]) as frame`, values: [frames] });
      } catch {
        // Not sent again: some may have been heard, and the numbers of the next ones tell that these are missing.
        this.#drop(client);
      }
    }
  }

  /** Does not wait: a connection that is lost without a word would never say that it has ended. */
  #drop(client: pg.Client | undefined): void {
    if (!client) return;
    if (this.#client === client) this.#client = undefined;
    client.end().catch(() => undefined);
  }
}
