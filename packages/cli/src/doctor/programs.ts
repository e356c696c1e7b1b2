import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first line that a program prints, or undefined when it does not run or fails. */
export function firstLine(path: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(path, [...args], { timeout: 5_000, windowsHide: true }, (error, stdout) => resolve(error ? undefined : (stdout.split('\n')[0] ?? '').trim()));
  });
}

/** Where this program is on a PATH; one that is named by its path is looked for there. */
export function findProgram(name: string, path: string = process.env['PATH'] ?? ''): string | undefined {
  const places = name.includes('/') ? [name] : path.split(delimiter).flatMap((folder) => (folder === '' ? [] : [join(folder, name)]));
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
