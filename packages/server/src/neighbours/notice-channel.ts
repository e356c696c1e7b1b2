export interface NoticeEars {
  heard(text: string): void;
  /** Some that were sent may never be heard: the way was cut for a while. */
  missed(): void;
}

/** The way between the nodes of one database. What it carries arrives once and in its sender's order, or is lost. */
export interface NoticeChannel {
  /** To every other node. Never waits and never throws. */
  send(text: string): void;
  /** Called once, before anything is sent. */
  listen(ears: NoticeEars): void;
  /** Sends what still waits, within a second or so. */
  close(): Promise<void>;
}
