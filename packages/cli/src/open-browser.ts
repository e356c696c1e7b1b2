import { spawn } from 'node:child_process';

/** Whether a person sits here and can see a browser. */
export function canOpenBrowser(env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if (!isTerminal || env['CI'] !== undefined || env['SSH_CONNECTION'] !== undefined) return false;
  return process.platform === 'darwin' || env['DISPLAY'] !== undefined || env['WAYLAND_DISPLAY'] !== undefined;
}

/** Opens an address of ours in the person's browser. It is a convenience: failing is silent, the address stands in the terminal. */
export function openBrowser(url: string): void {
  const command = process.platform === 'darwin' ? 'open' : 'xdg-open';
  try {
    const child = spawn(command, [url], { stdio: 'ignore', detached: true });
    child.on('error', () => undefined);
    child.unref();
  } catch {
    // Some faults are thrown and not told as an event.
  }
}
