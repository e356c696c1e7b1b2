import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Browsers that can show one page in a window of its own, the first one found is taken. */
const ON_PATH = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge', 'microsoft-edge-stable', 'brave-browser'];
const ELSEWHERE = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  '/Applications/Brave Browser.app/Contents/MacOS/Brave Browser',
];

/** Undefined when this machine has none. */
export function findAppBrowser(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = (env['PATH'] ?? '').split(':').filter((folder) => folder !== '');
  const candidates = [...ON_PATH.flatMap((name) => folders.map((folder) => join(folder, name))), ...ELSEWHERE];
  return candidates.find((path) => existsSync(path));
}

export interface AppWindow {
  readonly browser: string;
  readonly url: string;
  /** The window's own profile: its cookies, its size, where it stood. */
  readonly profile: string;
}

/** Opens one page in a window without tabs and address bar. The process lives as long as the window. */
export function openAppWindow({ browser, url, profile }: AppWindow): ChildProcess {
  const root = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const flags = [`--app=${url}`, `--user-data-dir=${profile}`, '--no-first-run', '--no-default-browser-check', '--disable-background-networking'];
  return spawn(browser, [...flags, ...root], { stdio: 'ignore' });
}
