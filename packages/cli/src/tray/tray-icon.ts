import { BusObject } from './bus-object.ts';

/** What the icon shows. */
export interface TrayFace {
  /** One line: what the machine is doing. */
  readonly words: string;
  readonly isConnected: boolean;
}

/** Where the tray asks for the menu. */
export const MENU_PATH = '/MenuBar';
const TITLE = 'Tendon';

const read = (signature: string) => ({ signature, access: 'read' as const });
const MEMBERS = {
  properties: {
    Category: read('s'),
    Id: read('s'),
    Title: read('s'),
    Status: read('s'),
    ItemIsMenu: read('b'),
    Menu: read('o'),
    IconThemePath: read('s'),
    IconName: read('s'),
    ToolTip: read('(sa(iiay)ss)'),
  },
  methods: { Activate: { inSignature: 'ii' }, SecondaryActivate: { inSignature: 'ii' } },
  signals: { NewIcon: {}, NewToolTip: {} },
};

/**
 * The icon, as the tray reads it. The names are those of the StatusNotifierItem specification (freedesktop.org); whatever changes is told by a
 * signal without the new value, which the tray then reads.
 */
export class TrayIcon extends BusObject {
  readonly Category = 'ApplicationStatus';
  readonly Id = 'tendon';
  readonly Title = TITLE;
  readonly Status = 'Active';
  readonly ItemIsMenu = false;
  readonly Menu = MENU_PATH;
  readonly IconThemePath: string;
  IconName = 'tendon';
  /** An icon (its name, its pixels), a title, a text. */
  ToolTip: readonly [string, readonly never[], string, string];
  readonly #open: () => void;

  constructor(icons: string, face: TrayFace, open: () => void) {
    super('org.kde.StatusNotifierItem', MEMBERS);
    this.IconThemePath = icons;
    this.#open = open;
    this.IconName = iconOf(face);
    this.ToolTip = toolTipOf(face);
  }

  show(face: TrayFace): void {
    this.IconName = iconOf(face);
    this.ToolTip = toolTipOf(face);
    this.NewIcon();
    this.NewToolTip();
  }

  Activate(_x: number, _y: number): void {
    this.#open();
  }

  SecondaryActivate(_x: number, _y: number): void {
    this.#open();
  }

  NewIcon(): void {}
  NewToolTip(): void {}
}

const iconOf = (face: TrayFace): string => (face.isConnected ? 'tendon' : 'tendon-away');
const toolTipOf = (face: TrayFace): TrayIcon['ToolTip'] => ['', [], TITLE, face.words];
