import type { ChildProcess } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import type { RelayHandle } from '@tendon/gateway/relay';
import { openAppWindow } from './app-window.ts';
import { sayLink } from './commands/gateway.ts';
import type { RunningParts } from './lifecycle.ts';
import { note } from './output.ts';

export interface DesktopWindowOptions {
  readonly relay: RelayHandle;
  readonly running: RunningParts;
  readonly browser: string;
  readonly profile: string;
  /** Whether the window can be opened again from a tray. */
  readonly isInTray: () => boolean;
}

/**
 * The page of this machine, in a window of its own.
 *
 *   closed ──open──► open ──the person closes it──► closed, and the terminal says how to open it again
 *     │               └── ends with a fault, such as without a display ──┐
 *     └── no such program ───────────────────────────────────────────────┴──► closed, and the terminal shows a link
 */
export class DesktopWindow {
  readonly #options: DesktopWindowOptions;
  /** Mostly one: a browser that runs already takes a second page over, and the process that brought it ends. */
  readonly #processes = new Set<ChildProcess>();
  #waitsForEnter = false;

  constructor(options: DesktopWindowOptions) {
    this.#options = options;
    options.running.add(async () => {
      for (const process of this.#processes) process.kill('SIGTERM');
    });
  }

  /** One that is open gets a second window beside it, of the same browser: nothing tells that one to come to the front. Never rejects. */
  async open(path: string): Promise<void> {
    const { relay, running, browser, profile } = this.#options;
    const giveUp = (error: Error): void => {
      note(`The window could not be opened (${error.message}).`);
      sayLink(relay.signInLink(path));
    };
    let window: ChildProcess;
    try {
      await mkdir(profile, { recursive: true, mode: 0o700 });
      if (running.isStopping) return;
      // Throws for a browser that is just being replaced by a newer one.
      window = openAppWindow({ browser, url: relay.signInLink(path), profile });
    } catch (error) {
      return giveUp(error as Error);
    }
    this.#processes.add(window);
    // Of one that was not started there is no end.
    window.once('error', (error) => {
      this.#processes.delete(window);
      giveUp(error);
    });
    window.once('exit', (code) => {
      this.#processes.delete(window);
      if (code !== null && code !== 0 && !running.isStopping) giveUp(new Error(`its browser ended with code ${code}${withoutDisplay()}`));
      else if (this.#processes.size === 0 && !running.isStopping) this.#closed();
    });
  }

  #closed(): void {
    const ways = [...(this.#options.isInTray() ? ['choose Tendon in the tray'] : []), ...(process.stdin.isTTY ? ['press Enter'] : [])];
    const again = ways.length > 0 ? ` To open it again, ${ways.join(' or ')}.` : '';
    note(`The window is closed; this machine stays connected.${again}${process.stdin.isTTY ? ' Ctrl+C ends it.' : ''}`);
    if (!process.stdin.isTTY || this.#waitsForEnter) return;
    this.#waitsForEnter = true;
    process.stdin.resume().once('data', () => {
      process.stdin.pause();
      this.#waitsForEnter = false;
      void this.open('/');
    });
  }
}

function withoutDisplay(): string {
  const isWithout = process.platform === 'linux' && !process.env['DISPLAY'] && !process.env['WAYLAND_DISPLAY'];
  return isWithout ? ': there is no display here, neither DISPLAY nor WAYLAND_DISPLAY is set' : '';
}
