/**
 * Something expected keeps the process from starting: a wrong variable, a taken port, an unreachable database.
 * The message is one line that names the thing and says what to do. The command line prints it and exits with `exitCode`.
 */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly exitCode = 2;

  constructor(message: string, options?: ErrorOptions) {
    super(message.replace(/\s*[\r\n]+\s*/g, ' ').trim(), options);
  }
}
