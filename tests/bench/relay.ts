import { LocalApprovals } from '@tendon/gateway/parts';
import { AgentSocket, relayRig } from '@tendon/testing';
import { type Figure, figure } from './figures.ts';

/** One small request at the server itself and through a relay, in turn, so that both meet the same moments. The relay runs in the process of the clients. */
export async function relayRoundTrips(
  at: { readonly url: string; readonly key: string },
  rounds: number,
): Promise<{ directAskMs: Figure; relayAskMs: Figure }> {
  await using stack = new AsyncDisposableStack();
  const relay = stack.use(await relayRig({ serverUrl: at.url, key: at.key, approvals: new LocalApprovals(crypto.randomUUID()) }));
  const direct = stack.adopt(await AgentSocket.connect(at), async (socket) => socket.close());
  const through = await relay.page();
  const [directMs, throughMs]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    for (const [socket, taken] of [
      [direct, directMs],
      [through, throughMs],
    ] as const) {
      const begun = performance.now();
      await socket.ask('rule:list', {});
      taken.push(performance.now() - begun);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return { directAskMs: figure(directMs), relayAskMs: figure(throughMs) };
}
