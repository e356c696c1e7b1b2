import { spawn } from 'node:child_process';
import { type EventEmitter, once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Message, type MessageBus, sessionBus, Variant } from '@jellybrick/dbus-next';
import { temporaryFolder } from '@tendon/testing';
import { BusObject } from './bus-object.ts';

const WATCHER = 'org.kde.StatusNotifierWatcher';

/** A session bus of its own: the real daemon. For tests. */
export interface BusRig extends AsyncDisposable {
  readonly address: string;
  /** Ends the daemon as a crash would. */
  kill(): Promise<void>;
}

export async function busRig(): Promise<BusRig> {
  const folder = await temporaryFolder();
  const file = join(folder.path, 'bus.conf');
  const policy = '<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>';
  await writeFile(file, `<busconfig><type>session</type><listen>unix:path=${join(folder.path, 'bus')}</listen>${policy}</busconfig>`);
  const daemon = spawn('dbus-daemon', [`--config-file=${file}`, '--nofork', '--print-address'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [address] = (await once(daemon.stdout.setEncoding('utf8'), 'data')) as [string];
  const kill = async (): Promise<void> => {
    if (daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = once(daemon, 'exit');
    daemon.kill('SIGKILL');
    await ended;
  };
  return {
    address: address.trim(),
    kill,
    async [Symbol.asyncDispose]() {
      await kill();
      await folder[Symbol.asyncDispose]();
    },
  };
}

class Watcher extends BusObject {
  readonly #taken: (service: string) => void;

  constructor(taken: (service: string) => void) {
    super(WATCHER, { methods: { RegisterStatusNotifierItem: { inSignature: 's' } } });
    this.#taken = taken;
  }

  RegisterStatusNotifierItem(service: string): void {
    this.#taken(service);
  }
}

interface Question {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: unknown[];
}

type Values = Readonly<Record<string, Variant>>;
const ICON = { path: '/StatusNotifierItem', interface: 'org.kde.StatusNotifierItem' };
const MENU = { path: '/MenuBar', interface: 'com.canonical.dbusmenu' };

/** The tray of a desktop, as the panels have one: it takes icons, reads what the last one shows, and passes clicks on. For tests. */
export class PanelRig {
  readonly #bus: MessageBus;
  readonly #told: string[] = [];
  /** Who has offered an icon, by the name on the bus. */
  readonly icons: string[] = [];

  private constructor(bus: MessageBus) {
    this.#bus = bus;
    // The daemon ends first in some tests.
    (bus as EventEmitter).on('error', () => undefined);
    bus.on('message', ({ member }) => this.#told.push(member));
    bus.export('/StatusNotifierWatcher', new Watcher((service) => this.icons.push(service)));
  }

  static async start(address: string): Promise<PanelRig> {
    const panel = new PanelRig(sessionBus({ busAddress: address }));
    const daemon = { path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus' };
    for (const { path } of [ICON, MENU]) {
      const body = [`type='signal',path='${path}'`];
      await panel.#ask('org.freedesktop.DBus', { ...daemon, member: 'AddMatch', signature: 's', body });
    }
    await panel.#bus.requestName(WATCHER);
    return panel;
  }

  /** The names of all messages that have come, signals among them. */
  get told(): readonly string[] {
    return this.#told;
  }

  async icon(): Promise<Record<string, unknown>> {
    const question = { ...ICON, interface: 'org.freedesktop.DBus.Properties', member: 'GetAll', signature: 's', body: [ICON.interface] };
    const [values] = (await this.#askIcon(question)) as [Values];
    return Object.fromEntries(Object.entries(values).map(([name, { value }]) => [name, value]));
  }

  /** What its menu says, and whether each of it can be chosen. */
  async menu(): Promise<[label: unknown, isEnabled: unknown][]> {
    const [, root] = (await this.#askIcon({ ...MENU, member: 'GetLayout', signature: 'iias', body: [0, -1, []] })) as [number, [number, Values, Variant[]]];
    return root[2].map((entry) => {
      const [, values] = entry.value as [number, Values];
      return [values['label']?.value, values['enabled']?.value];
    });
  }

  async click(): Promise<void> {
    await this.#askIcon({ ...ICON, member: 'Activate', signature: 'ii', body: [0, 0] });
  }

  async choose(label: string): Promise<void> {
    const id = (await this.menu()).findIndex(([name]) => name === label) + 1;
    await this.#askIcon({ ...MENU, member: 'Event', signature: 'isvu', body: [id, 'clicked', new Variant('i', 0), 0] });
  }

  close(): void {
    this.#bus.disconnect();
  }

  #askIcon(question: Question): Promise<unknown[]> {
    return this.#ask(this.icons.at(-1) ?? 'nobody', question);
  }

  async #ask(destination: string, question: Question): Promise<unknown[]> {
    return (await this.#bus.call(new Message({ destination, ...question })))?.body ?? [];
  }
}
