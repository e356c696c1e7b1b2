/** What a rule of the policy can be about, in each way it can be read. */
export interface PolicySubject {
  /** As the call has it. */
  readonly written: string;
  /** The same in other words: a path without its detours. */
  readonly readings: readonly string[];
  /** For a shell line, the commands in it; empty for everything else. */
  readonly commands: readonly string[];
  /** Paths of files that the call shows, tries, moves or sends as `read_file` would show them: the rules about that one count, too. */
  readonly reads?: PolicySubject;
  /** The path of a file that the call makes, when its own subject is another: the rules about `write_file` count, too. */
  readonly writes?: PolicySubject;
}

/** What is done with a file that a call comes to. */
export type FileUse = 'read' | 'change';

/** What the policy says of the files that one call comes to, by whatever path or search. */
export interface FileRules {
  /** Why the call may not use the file that truly stands at this path of its workspace. */
  refusalAt(path: string, use: FileUse): { readonly code: string; readonly message: string } | undefined;
  /** What rules keep from being read by this call: their subjects, `*` for every file. */
  readonly kept: readonly string[];
}
