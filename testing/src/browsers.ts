import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const CHROMIUM_ELSEWHERE = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];

/** Path of a Chromium that playwright-core can drive: `CHROMIUM_PATH`, or the first one on `PATH`. */
export function findChromium(): string | undefined {
  const named = process.env.CHROMIUM_PATH;
  if (named !== undefined && named !== '') return isExecutable(named) ? named : undefined;
  return [...onPath(CHROMIUM), ...CHROMIUM_ELSEWHERE].find(isExecutable);
}

/** Path of the first Firefox on `PATH`: an ordinary one, driven by WebDriver BiDi. */
export function findFirefox(): string | undefined {
  return onPath(['firefox-esr', 'firefox']).find(isExecutable);
}

function onPath(names: readonly string[]): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return names.flatMap((name) => folders.map((folder) => join(folder, name)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
