/** What a process of ours asks of the operating system: programs that end whole, and files that are replaced whole. */
export { diskFiles, type KeptFiles, type SharedFiles } from './disk-files.ts';
export { errorCode, isOutOfDescriptors } from './error-code.ts';
export { type FileLock, takeFileLock, waitForFileLock } from './file-lock.ts';
export { ProcessBook, type ProcessBookOptions } from './process-book.ts';
export {
  bootId,
  CALL_MARKER,
  carriesMarker,
  identify,
  identifyChild,
  listProcesses,
  markedByLimit,
  type ProcessIdentity,
} from './process-table.ts';
export { type CallProcesses, findCallProcesses, hasLeftovers, killCallProcesses, mayBeAlive } from './process-tree.ts';
export { running } from './running.ts';
export { bareEnvironment, shellEnvironment } from './shell-environment.ts';
