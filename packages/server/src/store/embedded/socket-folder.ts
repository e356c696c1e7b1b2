import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The path of a socket has 104 to 108 bytes on the systems we know, and `/.s.PGSQL.5432` is part of it. */
const SOCKET_FOLDER_BYTES = 88;

export interface SocketFolder {
  readonly path: string;
  remove(): void;
}

/** The socket lies in the data folder, which only its user can enter. A path too long for a socket is reached by a link in a private folder. */
export function socketFolder(data: string): SocketFolder {
  if (Buffer.byteLength(data) <= SOCKET_FOLDER_BYTES) return { path: data, remove: () => undefined };
  const folder = mkdtempSync(join(tmpdir(), 'tendon-'));
  symlinkSync(data, join(folder, 'db'));
  return { path: join(folder, 'db'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}
