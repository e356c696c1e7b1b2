import type { BrowserFrame, MachineBrowserState } from '@tendon/protocol';
import type { Neighbours } from '../neighbours/index.ts';
import type { Machines } from './machines.ts';
import type { GatewayConnection } from './ports.ts';

/** What a machine says of the browser of a session: a picture, or why there is none. */
export type BrowserView =
  | { readonly name: 'browser:frame'; readonly notice: BrowserFrame }
  | { readonly name: 'browser:state'; readonly notice: MachineBrowserState };

/** A wish to see, of one node. It holds until `untilMs`, and is said again before. */
interface Wish {
  readonly sessionId: string;
  readonly ownerId: string;
  readonly gatewayId: string;
  /** Somebody there has nothing to see yet. */
  readonly anew: boolean;
}

interface Wanted {
  readonly ownerId: string;
  readonly gatewayId: string;
  /** The connection that was asked: a newer one knows nothing of it. */
  asked: GatewayConnection | undefined;
  /** Until when, by node. */
  readonly untilMs: Map<string, number>;
  /** Frames of the present second. */
  second: { readonly from: number; frames: number };
  toNeighbours: { newest: BrowserView | undefined; isWaiting: boolean };
}

/** A wish holds so long without being said again. */
const WISH_LASTS_MS = 7_000;
/** And the machine goes on for so long: a server that ends without a word costs it no more. */
const WATCH_FOR_MS = 10_000;
const ANSWER_MS = 5_000;
/** A machine of ours sends three in a second, and may be late with some. */
const FRAMES_A_SECOND = 10;
/** Between nodes a picture is some ten to sixty notifications of the database. */
const NEIGHBOURS_EVERY_MS = 1_000;

export interface MachineViewsOptions {
  readonly node: string;
  readonly machines: Pick<Machines, 'online' | 'ofConnection'>;
  readonly neighbours: Neighbours;
  readonly monotonicMs: () => number;
  readonly later: (ms: number, work: () => void) => void;
  /** To those who watch at this node. */
  readonly show: (gatewayId: string, view: BrowserView) => void;
}

/**
 * The node that holds a machine asks it for what is wanted of its browser, here and at other nodes, and takes no more from it than that.
 *
 *   not wanted ──a wish──► wanted (the machine is asked with every wish) ──every wish is over or taken back──► not wanted (it is told so)
 */
export class MachineViews {
  readonly #options: MachineViewsOptions;
  readonly #wanted = new Map<string, Wanted>();

  constructor(options: MachineViewsOptions) {
    this.#options = options;
  }

  /** Somebody at `node` watches. Does nothing when the machine is not here, or is another's. */
  wish(node: string, { sessionId, ownerId, gatewayId, anew }: Wish): void {
    this.#tidy();
    const machine = this.#options.machines.online(gatewayId);
    if (machine?.stored.ownerId !== ownerId) return;
    const known = this.#wanted.get(sessionId);
    if (known && known.gatewayId !== gatewayId) this.#stop(sessionId, known);
    const wanted = this.#wanted.get(sessionId) ?? newWanted(ownerId, gatewayId);
    this.#wanted.set(sessionId, wanted);
    wanted.untilMs.set(node, this.#options.monotonicMs() + WISH_LASTS_MS);
    const isNewConnection = wanted.asked !== machine.connection;
    wanted.asked = machine.connection;
    ask(machine.connection, { sessionId, forMs: WATCH_FOR_MS, anew: anew || isNewConnection });
  }

  /** Nobody at `node` watches any more. */
  unwish(node: string, sessionId: string): void {
    const wanted = this.#wanted.get(sessionId);
    if (!wanted?.untilMs.delete(node) || wanted.untilMs.size > 0) return;
    this.#stop(sessionId, wanted);
  }

  /** What a machine says. Nobody asked it, or it is another's, or says too much: it is not listened to. */
  hear(connection: GatewayConnection, view: BrowserView): void {
    this.#tidy();
    const { sessionId } = view.notice;
    const wanted = this.#wanted.get(sessionId);
    const machine = this.#options.machines.ofConnection(connection)?.stored;
    if (!wanted || wanted.asked !== connection || machine?.gateway.id !== wanted.gatewayId || machine.ownerId !== wanted.ownerId) return;
    if (!this.#isInMeasure(wanted)) return;
    if (wanted.untilMs.has(this.#options.node)) this.#options.show(wanted.gatewayId, view);
    if (this.#isWantedElsewhere(wanted)) this.#tellSoon(wanted, view);
  }

  /** Machines are no longer asked: they stop by themselves. */
  close(): void {
    this.#wanted.clear();
  }

  #isInMeasure(wanted: Wanted): boolean {
    const now = this.#options.monotonicMs();
    if (now - wanted.second.from >= 1_000) wanted.second = { from: now, frames: 0 };
    wanted.second.frames += 1;
    return wanted.second.frames <= FRAMES_A_SECOND;
  }

  #isWantedElsewhere({ untilMs }: Wanted): boolean {
    return [...untilMs.keys()].some((node) => node !== this.#options.node);
  }

  /** At most one a second, and the newest at the end of it. */
  #tellSoon(wanted: Wanted, view: BrowserView): void {
    const { toNeighbours } = wanted;
    toNeighbours.newest = view;
    if (toNeighbours.isWaiting) return;
    toNeighbours.isWaiting = true;
    this.#tellNewest(wanted);
    this.#options.later(NEIGHBOURS_EVERY_MS, () => {
      toNeighbours.isWaiting = false;
      if (toNeighbours.newest && this.#isWantedElsewhere(wanted)) this.#tellSoon(wanted, toNeighbours.newest);
    });
  }

  #tellNewest({ gatewayId, toNeighbours }: Wanted): void {
    const view = toNeighbours.newest;
    toNeighbours.newest = undefined;
    if (view) this.#options.neighbours.tell({ kind: 'browser_view', gatewayId, view });
  }

  #stop(sessionId: string, { asked }: Wanted): void {
    this.#wanted.delete(sessionId);
    if (asked) ask(asked, { sessionId, forMs: 0, anew: false });
  }

  /** A wish that was not said again is over. */
  #tidy(): void {
    const now = this.#options.monotonicMs();
    for (const [sessionId, wanted] of this.#wanted) {
      for (const [node, untilMs] of wanted.untilMs) if (untilMs <= now) wanted.untilMs.delete(node);
      if (wanted.untilMs.size === 0) this.#stop(sessionId, wanted);
    }
  }
}

function newWanted(ownerId: string, gatewayId: string): Wanted {
  return {
    ownerId,
    gatewayId,
    asked: undefined,
    untilMs: new Map(),
    second: { from: Number.NEGATIVE_INFINITY, frames: 0 },
    toNeighbours: { newest: undefined, isWaiting: false },
  };
}

/** What it answers says nothing: what it shows does. */
function ask(connection: GatewayConnection, watch: Parameters<GatewayConnection['watchBrowser']>[0]): void {
  connection.watchBrowser(watch, ANSWER_MS).catch(() => undefined);
}
