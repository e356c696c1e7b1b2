/** What a rule of the policy can be about, in each way it can be read. */
export interface PolicySubject {
  /** As the call has it. */
  readonly written: string;
  /** The same in other words: a path without its detours. */
  readonly readings: readonly string[];
  /** For a shell line, the commands in it; empty for everything else. */
  readonly commands: readonly string[];
  /** The path of a file that the call may read as `read_file` does: the rules about that one count, too. */
  readonly reads?: PolicySubject;
}
