import type { AgentClient } from '@tendon/client';

const OFTEN_ENOUGH_MS = 12 * 3_600_000;

/** Tells the server now and then that this browser is in use, so that its sign-in does not run out (SPEC H24). `tell` asks it who is here. */
export function keepSignedIn(client: AgentClient, tell: () => void): void {
  let toldAt = Number.NEGATIVE_INFINITY;
  const tellNowAndThen = () => {
    if (client.connection.get().kind !== 'online' || performance.now() - toldAt < OFTEN_ENOUGH_MS) return;
    toldAt = performance.now();
    tell();
  };
  client.connection.subscribe(tellNowAndThen);
  setInterval(tellNowAndThen, OFTEN_ENOUGH_MS);
}
