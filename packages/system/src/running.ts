import type { ChildProcess } from 'node:child_process';

/**
 * Resolves when a child runs that was started in this very turn of the event loop; rejects with why it could not be started. Whoever touches its
 * streams waits for this first: without a free descriptor it has none, whatever its type says, and its error has nobody yet to hear it.
 */
export function running(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}
