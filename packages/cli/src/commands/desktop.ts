import { hostname } from 'node:os';
import { join } from 'node:path';
import { findBrowser } from '@tendon/gateway/browser';
import { StartError } from '@tendon/server/settings';
import { requireUrl } from '../control-client.ts';
import { DesktopWindow } from '../desktop-window.ts';
import { note } from '../output.ts';
import { openForOthers, openInRunning } from '../running-desktop.ts';
import { requireSettings } from '../settings.ts';
import { showInTray } from '../tray/desktop-tray.ts';
import type { Tray } from '../tray/tray.ts';
import { type GatewayFlags, gateway } from './gateway.ts';

export interface DesktopFlags extends Omit<GatewayFlags, 'relay'> {
  /** Shown first. */
  readonly session?: string;
}

/** `tendon desktop`: the gateway with its relay, the page in a window of its own, and an icon in the tray where the desktop has one. */
export async function desktop({ session, ...flags }: DesktopFlags): Promise<void> {
  const found = findBrowser();
  if (found.kind === 'none')
    throw new StartError(`no window can be opened. ${found.reason} Or run "tendon gateway --relay", and open its link in the browser that you have`);
  if (session !== undefined && !/^[0-9a-f-]{36}$/i.test(session))
    throw new StartError(`"${session}" is not the id of a session: it stands at the end of its address, after /s/`);
  const path = session === undefined ? '/' : `/s/${session}`;
  const { home } = await requireSettings({ ...(flags.home === undefined ? {} : { home: flags.home }) });
  const place = { home, name: flags.name ?? hostname() };
  // Who asks for more than the window is told, as at any second start, that it runs already.
  const asksForMore = flags.atLogin !== undefined || flags.workspace !== undefined || flags.readyFile !== undefined;
  if (!asksForMore && (await openInRunning(place, { path, serverUrl: requireUrl(flags.server) }))) {
    note('Tendon runs on this machine already, and has opened its window.');
    return;
  }
  await gateway({ ...flags, relay: true }, ({ relay, handle, serverUrl, running, config }) => {
    let tray: Tray | undefined;
    const profile = join(config.home, 'desktop');
    const window = new DesktopWindow({ relay, running, browser: found.path, profile, isInTray: () => tray?.isShown === true });
    void window.open(path);
    void openForOthers(place, { serverUrl, open: (other) => void window.open(other) }).then((others) => running.add(() => others.close()));
    void showInTray({ handle, serverUrl, running, open: () => void window.open('/') }).then((shown) => {
      tray = shown;
    });
  });
}
