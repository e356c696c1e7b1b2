import { AgentSocket } from '@tendon/testing';
import { type Figure, figure } from './figures.ts';

/** What the door may add to a handshake, in milliseconds. */
const BUDGET_MS = 5;

/** What one handshake takes longer than the bare one beside it. A pause of the machine that meets one of the two is in it, whichever it meets. */
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
  return { handshakeMs: figure(ours), bareHandshakeMs: figure(bare), doorAdds: added(ours.map((ms, round) => ms - (bare[round] ?? Number.NaN))) };
}

function added(differences: readonly number[]): Added {
  const sorted = differences.toSorted((a, b) => a - b);
  const n = sorted.length;
  // By ranks (binomial, normal approximation): nothing is presumed about how the differences are spread.
  const half = (1.96 * Math.sqrt(n)) / 2;
  const at = (rank: number): number => sorted[Math.min(n - 1, Math.max(0, rank))] ?? Number.NaN;
  const share = (isCounted: (ms: number) => boolean): number => (100 * sorted.filter(isCounted).length) / n;
  return {
    ms: figure(sorted),
    medianFromTo: [at(Math.floor(n / 2 - half)), at(Math.ceil(n / 2 + half))],
    overBudget: share((ms) => ms > BUDGET_MS),
    underBudget: share((ms) => ms < -BUDGET_MS),
  };
}
