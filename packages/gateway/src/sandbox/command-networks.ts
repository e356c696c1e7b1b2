import { judgeTarget, type NetworkRulesOptions } from '@tendon/network';
import type { EgressProxy, Refused } from '../network/egress-proxy.ts';
import { ToolFault } from '../tools/faults.ts';
import { type IsolatedNetwork, openIsolatedNetwork } from './isolated-network.ts';
import { proxyEnvironment } from './proxy-environment.ts';
import { RefusalNotes } from './refusal-notes.ts';

/*
 * The filtered networks of commands, one for each session, so that its commands reach on localhost what an earlier one has left running:
 *
 *   none ──first command──► opening ──► used ◄──command── idle ──IDLE_MS, or the gateway closes──► none
 *    ▲                         │          └──last one leaves──▲
 *    └──it cannot be made──────┘   (the command is refused)
 *
 * Nothing of it is a process: the gateway holds the network by descriptor, and the kernel ends it when the gateway and the last command are gone.
 */

/** The place of one command in the network of its session. */
export interface NetworkSeat {
  /** What its command line begins with. */
  readonly enter: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Connections that were not made. */
  readonly notes: RefusalNotes;
  /** Something of the command runs on: what is refused from now on goes to `tell`. Answers with what ends its pass, which may be called twice. */
  handOver(tell: (text: string) => void): () => void;
  /** Ends its pass and cuts what is open for it, unless it was handed over. May be called twice. */
  leave(): void;
}

const IDLE_MS = 60_000;

interface OpenNetwork {
  readonly network: IsolatedNetwork;
  readonly proxy: EgressProxy;
}

interface Entry {
  readonly opening: Promise<OpenNetwork>;
  seats: number;
  timer: NodeJS.Timeout | undefined;
}

export interface CommandNetworksOptions extends NetworkRulesOptions {
  readonly idleMs?: number;
}

export class CommandNetworks {
  readonly #options: CommandNetworksOptions;
  readonly #entries = new Map<string, Entry>();
  #isClosing = false;

  constructor(options: CommandNetworksOptions) {
    this.#options = options;
  }

  /** How many sessions have one. */
  get size(): number {
    return this.#entries.size;
  }

  /** Errors: `ToolFault` when this machine cannot make such a network, or the gateway is stopping. */
  async join(sessionId: string): Promise<NetworkSeat> {
    if (this.#isClosing) throw new ToolFault('shutting_down', 'The gateway on this machine is stopping. Try again when it is back.');
    const entry = this.#entries.get(sessionId) ?? this.#open(sessionId);
    entry.seats += 1;
    clearTimeout(entry.timer);
    try {
      return this.#seat(await entry.opening, () => this.#left(sessionId, entry));
    } catch (error) {
      // The next command tries anew.
      if (this.#entries.get(sessionId) === entry) this.#entries.delete(sessionId);
      throw error;
    }
  }

  /** Every connection is cut. May be called twice. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map(endNetwork));
  }

  #open(sessionId: string): Entry {
    const entry: Entry = { opening: openNetwork(this.#options), seats: 0, timer: undefined };
    this.#entries.set(sessionId, entry);
    return entry;
  }

  #seat({ network, proxy }: OpenNetwork, onLeft: () => void): NetworkSeat {
    const notes = new RefusalNotes();
    const pass = proxy.admit((refused: Refused) => notes.add(refused));
    let state: 'taken' | 'handed over' | 'left' = 'taken';
    const end = (): void => {
      if (state === 'left') return;
      state = 'left';
      proxy.dismiss(pass);
      onLeft();
    };
    return {
      ...{ enter: network.enter, environment: proxyEnvironment(pass, proxy.port), notes },
      handOver(tell) {
        state = 'handed over';
        notes.tellLater(tell);
        return end;
      },
      leave() {
        if (state === 'taken') end();
      },
    };
  }

  #left(sessionId: string, entry: Entry): void {
    entry.seats -= 1;
    if (entry.seats > 0 || this.#entries.get(sessionId) !== entry) return;
    entry.timer = setTimeout(() => {
      this.#entries.delete(sessionId);
      void endNetwork(entry);
    }, this.#options.idleMs ?? IDLE_MS).unref();
  }
}

async function openNetwork(options: NetworkRulesOptions): Promise<OpenNetwork> {
  const { EgressProxy } = await import('../network/egress-proxy.ts');
  const network = await openIsolatedNetwork();
  try {
    return { network, proxy: await EgressProxy.open({ judge: (target) => judgeTarget(target, options), door: network.door }) };
  } catch (error) {
    network.door.close();
    await network.close();
    throw error;
  }
}

async function endNetwork(entry: Entry): Promise<void> {
  clearTimeout(entry.timer);
  const opened = await entry.opening.catch(() => undefined);
  await Promise.all([opened?.proxy.close(), opened?.network.close()]);
}
