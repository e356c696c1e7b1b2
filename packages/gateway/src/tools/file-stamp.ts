/** What a file looked like when it was read, to notice that someone else has changed it since. */
export interface FileStamp {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
}

export function isSameStamp(one: FileStamp, other: FileStamp): boolean {
  return one.ino === other.ino && one.size === other.size && one.mtimeMs === other.mtimeMs;
}
