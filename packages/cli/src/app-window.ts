import { type ChildProcess, spawn } from 'node:child_process';

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
