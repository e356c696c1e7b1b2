import { execFile } from 'node:child_process';

/** The first line that a program prints, or undefined when it does not run or fails. */
export function firstLine(path: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(path, [...args], { timeout: 5_000, windowsHide: true }, (error, stdout) => resolve(error ? undefined : (stdout.split('\n')[0] ?? '').trim()));
  });
}
