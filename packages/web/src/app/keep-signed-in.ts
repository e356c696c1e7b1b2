import type { AgentClient } from '@tendon/client';

const OFTEN_ENOUGH_MS = 12 * 3_600_000;

/** Tells the server now and then that this browser is in use, so that its sign-in does not run out (SPEC H24). */
export function keepSignedIn(client: AgentClient): void {
  let toldAt = Number.NEGATIVE_INFINITY;
  const tell = () => {
    if (client.connection.get().kind !== 'online' || performance.now() - toldAt < OFTEN_ENOUGH_MS) return;
    toldAt = performance.now();
    fetch('/api/me', { cache: 'no-store', headers: { 'X-Requested-With': 'tendon' } }).catch(() => undefined);
  };
  client.connection.subscribe(tell);
  setInterval(tell, OFTEN_ENOUGH_MS);
}
