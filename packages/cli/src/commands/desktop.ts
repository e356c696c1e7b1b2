import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findBrowser } from '@tendon/gateway/browser';
import type { RelayHandle } from '@tendon/gateway/relay';
import { StartError } from '@tendon/server/settings';
import { openAppWindow } from '../app-window.ts';
import type { RunningParts } from '../lifecycle.ts';
import { note } from '../output.ts';
import { type GatewayFlags, gateway, sayLink } from './gateway.ts';

export interface DesktopFlags extends Omit<GatewayFlags, 'relay'> {
  /** Shown first. */
  readonly session?: string;
}

/**
 * `tendon desktop`: the gateway with its relay, and the page in a window of its own.
 *
 *   connected ──► window open ──closed──► still connected, the terminal says how to open it again ──Enter──► window open
 */
export async function desktop({ session, ...flags }: DesktopFlags): Promise<void> {
  const found = findBrowser();
  if (found.kind === 'none')
    throw new StartError(`no window can be opened. ${found.reason} Or run "tendon gateway --relay", and open its link in the browser that you have`);
  if (session !== undefined && !/^[0-9a-f-]{36}$/i.test(session))
    throw new StartError(`"${session}" is not the id of a session: it stands at the end of its address, after /s/`);
  await gateway({ ...flags, relay: true }, (relay, running, config) => {
    const profile = join(config.home, 'desktop');
    const path = session === undefined ? '/' : `/s/${session}`;
    mkdir(profile, { recursive: true, mode: 0o700 })
      .then(() => showWindow({ relay, running, browser: found.path, profile }, path))
      .catch((error: Error) => {
        note(`The window could not be opened (${error.message}).`);
        sayLink(relay.signInLink(path));
      });
  });
}

interface Desk {
  readonly relay: RelayHandle;
  readonly running: RunningParts;
  readonly browser: string;
  readonly profile: string;
}

function showWindow(desk: Desk, path: string): void {
  const { relay, running, browser, profile } = desk;
  const window = openAppWindow({ browser, url: relay.signInLink(path), profile });
  let isOpen = true;
  running.add(async () => void (isOpen && window.kill('SIGTERM')));
  window.once('error', (error) => {
    note(`The window could not be opened (${error.message}).`);
    sayLink(relay.signInLink(path));
  });
  window.once('exit', () => {
    isOpen = false;
    if (!process.stdin.isTTY) return note('The window is closed; this machine stays connected.');
    note('The window is closed; this machine stays connected. Press Enter to open it again, Ctrl+C to end.');
    process.stdin.resume().once('data', () => {
      process.stdin.pause();
      showWindow(desk, '/');
    });
  });
}
