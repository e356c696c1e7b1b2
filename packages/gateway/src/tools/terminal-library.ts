/** Why this machine cannot make terminals; undefined when it can. Loads the library, which starts nothing. */
export async function terminalFault(): Promise<string | undefined> {
  try {
    await import('@lydell/node-pty');
    return undefined;
  } catch (error) {
    return String(error instanceof Error ? error.message : error).split('\n')[0];
  }
}
