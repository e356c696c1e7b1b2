/** A start that cannot go on, for a reason that its reader can mend. Printed as one line, without a stack; the process ends with `exitCode`. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly exitCode = 2;
}
