import type { AgentClient } from '@tendon/client';

const PATIENCE_MS = 15_000;

/** Waits for a connection that is on its way. False when it does not come in time, or the server refuses this page for good. */
export function whenOnline({ connection }: Pick<AgentClient, 'connection'>): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isOnline: boolean) => {
      clearTimeout(limit);
      stop();
      resolve(isOnline);
    };
    const look = () => {
      const { kind } = connection.get();
      if (kind === 'online') settle(true);
      else if (kind === 'failed' || kind === 'closed') settle(false);
    };
    const limit = setTimeout(() => settle(false), PATIENCE_MS);
    const stop = connection.subscribe(look);
    look();
  });
}
