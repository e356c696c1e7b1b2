import type { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { Message, type MessageBus, MessageType, sessionBus } from '@jellybrick/dbus-next';
import { MENU_PATH, type TrayFace, TrayIcon } from './tray-icon.ts';
import { type MenuEntry, TrayMenu } from './tray-menu.ts';

export interface TrayOptions {
  /** Of the session bus, in D-Bus's own form: `unix:path=…`. */
  readonly address: string;
  readonly face: TrayFace;
  readonly open: () => void;
  readonly quit: () => void;
}

export interface Tray {
  /** Whether a tray has taken the icon. */
  readonly isShown: boolean;
  show(face: TrayFace): void;
  close(): void;
}

const WATCHER = 'org.kde.StatusNotifierWatcher';
const WATCHER_PATH = '/StatusNotifierWatcher';
const ICON_PATH = '/StatusNotifierItem';
const ICONS = join(import.meta.dirname, 'icons');
const BUS = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus' };

/**
 * An icon in the tray of a Linux desktop, for as long as there is a tray: a StatusNotifierItem on the session bus (freedesktop.org). Rejects when
 * the bus cannot be reached. What is shown on a bus that has ended, with its desktop, is shown to nobody.
 *
 *   offered ──a tray takes it──► shown ──the tray ends (a panel is started anew)──► offered
 */
export async function openTray({ address, face, open, quit }: TrayOptions): Promise<Tray> {
  const entries = (words: string): MenuEntry[] => [{ label: words }, { label: 'Open Tendon', choose: open }, { label: 'Quit', choose: quit }];
  const icon = new TrayIcon(ICONS, face, open);
  const menu = new TrayMenu(entries(face.words));
  const bus = await connect(address);
  bus.export(ICON_PATH, icon);
  bus.export(MENU_PATH, menu);
  let isShown = false;
  const offer = async (): Promise<void> => {
    const register = { destination: WATCHER, path: WATCHER_PATH, interface: WATCHER, member: 'RegisterStatusNotifierItem', signature: 's' };
    isShown = await bus.call(new Message({ ...register, body: [bus.name] })).then(
      () => true,
      () => false,
    );
  };
  bus.on('message', ({ type, sender, member, body: [name, , owner] }) => {
    if (type !== MessageType.SIGNAL || sender !== BUS.destination || member !== 'NameOwnerChanged' || name !== WATCHER) return;
    isShown = false;
    if (owner !== '') void offer();
  });
  const rule = `type='signal',sender='${BUS.destination}',member='NameOwnerChanged',arg0='${WATCHER}'`;
  await bus.call(new Message({ ...BUS, member: 'AddMatch', signature: 's', body: [rule] }));
  void offer();
  return {
    get isShown() {
      return isShown;
    },
    show(next) {
      try {
        icon.show(next);
        menu.show(entries(next.words));
      } catch {
        isShown = false;
      }
    },
    close: () => bus.disconnect(),
  };
}

function connect(address: string): Promise<MessageBus> {
  return new Promise((resolve, reject) => {
    const bus = sessionBus({ busAddress: address });
    (bus as EventEmitter).on('error', reject);
    bus.once('connect', () => resolve(bus));
  });
}
