import { Variant } from '@jellybrick/dbus-next';
import { type BusMembers, BusObject } from './bus-object.ts';

export interface MenuEntry {
  readonly label: string;
  /** Left out, the entry only says something. */
  readonly choose?: () => void;
}

type Properties = Readonly<Record<string, Variant>>;
type Node = readonly [id: number, Properties, children: readonly Variant<Node>[]];

const ROOT = 0;

const MEMBERS: BusMembers = {
  properties: {
    Version: { signature: 'u', access: 'read' },
    Status: { signature: 's', access: 'read' },
    TextDirection: { signature: 's', access: 'read' },
    IconThemePath: { signature: 'as', access: 'read' },
  },
  methods: {
    GetLayout: { inSignature: 'iias', outSignature: 'u(ia{sv}av)' },
    GetGroupProperties: { inSignature: 'aias', outSignature: 'a(ia{sv})' },
    GetProperty: { inSignature: 'is', outSignature: 'v' },
    Event: { inSignature: 'isvu' },
    EventGroup: { inSignature: 'a(isvu)', outSignature: 'ai' },
    AboutToShow: { inSignature: 'i', outSignature: 'b' },
    AboutToShowGroup: { inSignature: 'ai', outSignature: 'aiai' },
  },
  signals: { LayoutUpdated: { signature: 'ui' } },
};

/** The icon's menu, a flat one, as `com.canonical.dbusmenu` wants it: entries are numbered from 1 and hang at number 0. */
export class TrayMenu extends BusObject {
  readonly Version = 3;
  readonly Status = 'normal';
  readonly TextDirection = 'ltr';
  readonly IconThemePath: readonly string[] = [];
  #entries: readonly MenuEntry[];
  #revision = 1;

  constructor(entries: readonly MenuEntry[]) {
    super('com.canonical.dbusmenu', MEMBERS);
    this.#entries = entries;
  }

  show(entries: readonly MenuEntry[]): void {
    this.#entries = entries;
    this.#revision += 1;
    this.LayoutUpdated();
  }

  GetLayout(parent: number, depth: number, _names: readonly string[]): [number, Node] {
    const children = parent === ROOT && depth !== 0 ? this.#entries.map((_, index) => new Variant('(ia{sv}av)', this.#node(index + 1))) : [];
    return [this.#revision, [parent, this.#properties(parent), children]];
  }

  GetGroupProperties(ids: readonly number[], _names: readonly string[]): [number, Properties][] {
    const known = ids.length === 0 ? [ROOT, ...this.#entries.map((_, index) => index + 1)] : ids;
    return known.map((id) => [id, this.#properties(id)]);
  }

  GetProperty(id: number, name: string): Variant {
    const known = this.#properties(id);
    return (Object.hasOwn(known, name) ? known[name] : undefined) ?? new Variant('s', '');
  }

  /** The rest of an event, its data and its time, says nothing of a click. */
  Event(id: number, kind: string): void {
    if (kind === 'clicked') this.#entries[id - 1]?.choose?.();
  }

  /** Answers with the entries that are unknown. */
  EventGroup(events: readonly (readonly [number, string, Variant, number])[]): number[] {
    for (const [id, kind] of events) this.Event(id, kind);
    return events.map(([id]) => id).filter((id) => id !== ROOT && !this.#entries[id - 1]);
  }

  /** Whether the layout must be read again first: it never must, `LayoutUpdated` has said so. */
  AboutToShow(_id: number): boolean {
    return false;
  }

  AboutToShowGroup(ids: readonly number[]): [number[], number[]] {
    return [[], ids.filter((id) => id !== ROOT && !this.#entries[id - 1])];
  }

  LayoutUpdated(): [number, number] {
    return [this.#revision, ROOT];
  }

  #node(id: number): Node {
    return [id, this.#properties(id), []];
  }

  #properties(id: number): Properties {
    if (id === ROOT) return { 'children-display': new Variant('s', 'submenu') };
    const entry = this.#entries[id - 1];
    if (!entry) return {};
    // An underscore would be a mnemonic.
    return { label: new Variant('s', entry.label.replaceAll('_', '__')), enabled: new Variant('b', entry.choose !== undefined) };
  }
}
