import { AgentSocket } from '@tendon/testing';
import { type Figure, figure } from './figures.ts';

/**
 * What it costs to be let in: from dialling to the welcome, with a key; and the same to a bare Socket.IO server in the same moments, which
 * asks nobody anything.
 */
export async function handshakes(
  at: { readonly url: string; readonly key: string },
  bareUrl: string,
  rounds: number,
): Promise<{ handshakeMs: Figure; bareHandshakeMs: Figure }> {
  const [ours, bare]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    for (const [options, taken] of [
      [at, ours],
      [{ url: bareUrl }, bare],
    ] as const) {
      const begun = performance.now();
      const socket = await AgentSocket.connect(options);
      taken.push(performance.now() - begun);
      socket.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return { handshakeMs: figure(ours), bareHandshakeMs: figure(bare) };
}
