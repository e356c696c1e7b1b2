import { type Notice, readNotice } from './notice.ts';
import type { NoticeChannel } from './notice-channel.ts';

/** Who watches says so again every two seconds. */
const WATCH_LASTS_MS = 7_000;
const IDS_AT_ONCE = 200;

export interface NeighboursOptions {
  /** Undefined: no other node can be on this database. */
  readonly channel: NoticeChannel | undefined;
  /** A clock that nobody sets, in milliseconds from some moment. */
  readonly monotonicMs: () => number;
}

/** The other nodes on this database, as far as this one knows of them. */
export class Neighbours {
  readonly #options: NeighboursOptions;
  readonly #watched = new Map<string, number>();

  constructor(options: NeighboursOptions) {
    this.#options = options;
  }

  get isAlone(): boolean {
    return this.#options.channel === undefined;
  }

  listen(ears: { heard(notice: Notice): void; missed(): void }): void {
    this.#options.channel?.listen({
      heard: (text) => {
        const notice = readNotice(text);
        if (notice?.kind === 'watch') this.#noteWatch(notice.sessionIds);
        if (notice) ears.heard(notice);
      },
      missed: () => ears.missed(),
    });
  }

  /** May be lost. */
  tell(notice: Notice): void {
    this.#options.channel?.send(JSON.stringify(notice));
  }

  /** Says that somebody here is attached to these sessions. */
  watch(sessionIds: readonly string[], { isNew }: { isNew: boolean }): void {
    for (let from = 0; from < sessionIds.length; from += IDS_AT_ONCE)
      this.tell({ kind: 'watch', sessionIds: sessionIds.slice(from, from + IDS_AT_ONCE), isNew });
  }

  /** Whether somebody is attached to the session at another node, so that what streams is worth sending. */
  isWatched(sessionId: string): boolean {
    return (this.#watched.get(sessionId) ?? Number.NEGATIVE_INFINITY) > this.#options.monotonicMs();
  }

  /** Forgets those who have not said it again. */
  tidy(): void {
    for (const sessionId of this.#watched.keys()) if (!this.isWatched(sessionId)) this.#watched.delete(sessionId);
  }

  async close(): Promise<void> {
    await this.#options.channel?.close();
  }

  #noteWatch(sessionIds: readonly string[]): void {
    const until = this.#options.monotonicMs() + WATCH_LASTS_MS;
    for (const sessionId of sessionIds) this.#watched.set(sessionId, until);
  }
}
