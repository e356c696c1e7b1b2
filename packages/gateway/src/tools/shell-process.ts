import type { ProcessIdentity } from '@tendon/system';
import type { ShellStart } from '../sandbox/sandbox.ts';
import type { ShellEnd, Terminal } from './background.ts';

export interface ShellWork {
  readonly shell: ShellStart;
  readonly folder: string;
  readonly command: string;
  readonly isInBackground: boolean;
  readonly hasTerminal: boolean;
  /** Ends it while it is still being started; later its call ends it. */
  readonly signal: AbortSignal;
}

/** A shell that was started, whatever it is connected to. It leads a process group. */
export interface ShellProcess {
  /** Undefined when it could not be started, or nobody can say who it is. */
  readonly leader: Promise<ProcessIdentity | undefined>;
  /** An error when it could not be started. */
  readonly ended: Promise<ShellEnd | Error>;
  readonly terminal?: Terminal;
}
