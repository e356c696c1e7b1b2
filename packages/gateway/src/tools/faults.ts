import { failedResult, type ToolResult } from '@tendon/protocol';
import { errorCode } from '@tendon/system';

export { errorCode };

/** Something the caller can mend: a path that is not there, a text that is not found. Turned into a failed result by the registry. */
export class ToolFault extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ToolFault';
    this.code = code;
  }

  result(): ToolResult {
    return failedResult(this.code, this.message);
  }
}

const FILE_FAULTS: Readonly<Record<string, { code: string; text: string }>> = {
  ENOENT: { code: 'not_found', text: 'does not exist. Use glob to find the right path' },
  ENOTDIR: { code: 'not_found', text: 'cannot exist: a part of the path is a file, not a folder. Use list_folder to find the right path' },
  EISDIR: { code: 'is_folder', text: 'is a folder. Use list_folder to see what is in it' },
  EACCES: { code: 'no_permission', text: "may not be opened by the gateway's user. Change its permissions or choose another path" },
  EPERM: { code: 'no_permission', text: "may not be changed by the gateway's user. Change its permissions or choose another path" },
  EROFS: { code: 'no_permission', text: 'is on a read-only file system. Choose another path' },
  ELOOP: { code: 'link_loop', text: 'is a chain of links that never ends. Choose another path' },
  ENAMETOOLONG: { code: 'name_too_long', text: 'has a name longer than this file system allows. Choose a shorter one' },
  ENOSPC: { code: 'disk_full', text: 'cannot be written: the disk is full. Free some space and try again' },
  EDQUOT: { code: 'disk_full', text: 'cannot be written: the disk quota is used up. Free some space and try again' },
  EMFILE: { code: 'busy', text: 'cannot be opened: too many files are open. Try again in a moment' },
  ETXTBSY: { code: 'busy', text: 'is a program that runs right now. End it first' },
  ENXIO: { code: 'not_a_file', text: 'is a device or socket, not a file. Choose a regular file' },
};

/** What the file system said about `path` (as the caller wrote it), in words. Unknown errors come back as they are: they are bugs. */
export function fileFault(path: string, error: unknown): unknown {
  const known = FILE_FAULTS[errorCode(error) ?? ''];
  return known ? new ToolFault(known.code, `${JSON.stringify(path)} ${known.text}.`, { cause: error }) : error;
}
