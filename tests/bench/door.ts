import { randomUUID } from 'node:crypto';
import { AgentSocket } from '@tendon/testing';
import { type Figure, figure } from './figures.ts';

/** What the door may add, in milliseconds. */
const BUDGET_MS = { handshake: 5, event: 0.1 };
/** As many as one connection may ask in a second (T10) are far from asked: nothing waits for its limit. */
const BLOCK = { events: 20, pauseMs: 450 };

/** What one handshake, or event, takes longer than the bare one beside it. A pause of the machine that meets one of the two is in it, whichever it meets. */
interface Added {
  readonly ms: Figure;
  /** Between these lies the median, in 19 of 20 such runs. */
  readonly medianFromTo: readonly [number, number];
  /** How many of a hundred take longer than the budget; and how many take so much less, which no door does: the machine's own share of the former. */
  readonly overBudget: number;
  readonly underBudget: number;
}

/**
 * What it costs to be let in: from dialling to the welcome, with a key; and the same to a bare Socket.IO server in the same moments, which
 * asks nobody anything. Whichever is dialled second finds the machine warmer, so they take turns at that.
 */
export async function handshakes(
  at: { readonly url: string; readonly key: string },
  bareUrl: string,
  rounds: number,
): Promise<{ handshakeMs: Figure; bareHandshakeMs: Figure; doorAdds: Added }> {
  const [ours, bare]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    const both = [
      [at, ours],
      [{ url: bareUrl }, bare],
    ] as const;
    for (const [options, taken] of round % 2 === 0 ? both : both.toReversed()) {
      const begun = performance.now();
      const socket = await AgentSocket.connect(options);
      taken.push(performance.now() - begun);
      socket.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return { handshakeMs: figure(ours), bareHandshakeMs: figure(bare), doorAdds: added(ours, bare, BUDGET_MS.handshake) };
}

/**
 * What it costs to be read, judged and answered: a request of which nothing follows, from sending to its answer, one after the other; and the
 * same at the bare server, in turns. Each value is the mean of a block, since a clock's tick and a turn of the loop are as long as what is measured.
 */
export async function events(
  at: { readonly url: string; readonly key: string },
  bareUrl: string,
  rounds: number,
): Promise<{ eventMs: Figure; bareEventMs: Figure; doorAddsPerEvent: Added }> {
  const pair = [await AgentSocket.connect(at), await AgentSocket.connect({ url: bareUrl })] as const;
  const taken: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    for (const index of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) taken[index].push(await blockMs(pair[index]));
    await new Promise((resolve) => setTimeout(resolve, BLOCK.pauseMs));
  }
  for (const socket of pair) socket.close();
  const [ours, bare] = taken;
  return { eventMs: figure(ours), bareEventMs: figure(bare), doorAddsPerEvent: added(ours, bare, BUDGET_MS.event) };
}

async function blockMs(socket: AgentSocket): Promise<number> {
  const begun = performance.now();
  for (let index = 0; index < BLOCK.events; index += 1) await socket.ask('session:detach', { sessionId: randomUUID() });
  return (performance.now() - begun) / BLOCK.events;
}

function added(ours: readonly number[], bare: readonly number[], budgetMs: number): Added {
  const differences = ours.map((ms, round) => ms - (bare[round] ?? Number.NaN));
  const sorted = differences.toSorted((a, b) => a - b);
  const n = sorted.length;
  // By ranks (binomial, normal approximation): nothing is presumed about how the differences are spread.
  const half = (1.96 * Math.sqrt(n)) / 2;
  const at = (rank: number): number => sorted[Math.min(n - 1, Math.max(0, rank))] ?? Number.NaN;
  const share = (isCounted: (ms: number) => boolean): number => (100 * sorted.filter(isCounted).length) / n;
  return {
    ms: figure(sorted),
    medianFromTo: [at(Math.floor(n / 2 - half)), at(Math.ceil(n / 2 + half))],
    overBudget: share((ms) => ms > budgetMs),
    underBudget: share((ms) => ms < -budgetMs),
  };
}
