import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayHandle, LinkState } from '@tendon/gateway';
import type { RunningParts } from '../lifecycle.ts';
import type { Tray } from './tray.ts';
import type { TrayFace } from './tray-icon.ts';

export interface DesktopTrayOptions {
  readonly handle: GatewayHandle;
  readonly serverUrl: string;
  readonly running: RunningParts;
  readonly open: () => void;
}

/** Shows this machine in the desktop's tray, for as long as it runs. Answers with undefined where there is no session bus to a tray; never rejects. */
export async function showInTray({ handle, serverUrl, running, open }: DesktopTrayOptions): Promise<Tray | undefined> {
  const address = sessionBusAddress();
  if (address === undefined) return undefined;
  const faceOf = (state: LinkState): TrayFace => ({ words: wordsOf(state, serverUrl), isConnected: state.kind === 'online' });
  try {
    const { openTray } = await import('./tray.ts');
    // The panel has its answer first: the end begins with leaving the bus.
    const quit = (): void => void setImmediate(() => running.exit(0));
    const tray = await openTray({ address, face: faceOf(handle.state), open, quit });
    const stop = handle.subscribe((state) => tray.show(faceOf(state)));
    running.add(async () => {
      stop();
      tray.close();
    });
    return tray;
  } catch {
    return undefined;
  }
}

function sessionBusAddress(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const given = process.env['DBUS_SESSION_BUS_ADDRESS'];
  if (given !== undefined && given !== '') return given;
  const path = join(process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.()}`, 'bus');
  return existsSync(path) ? `unix:path=${path}` : undefined;
}

function wordsOf(state: LinkState, serverUrl: string): string {
  if (state.kind === 'online') return `Connected to ${serverUrl}`;
  if (state.kind === 'failed') return `${serverUrl} refused this machine`;
  return `No connection to ${serverUrl}: it is tried again by itself`;
}
