import { AgentClient, type AgentClientOptions, type Store } from '@tendon/client';

/** A client that reconnects within a few milliseconds, closed at the end of its block. */
export function connect(server: { readonly url: string }, options: Partial<AgentClientOptions> = {}): AgentClient & Disposable {
  const client = new AgentClient({ url: server.url, client: { name: 'test', version: '1' }, random: () => 0.01, ...options });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

/** Waits for the store to hold what is wanted. Fails, saying what it held last, instead of hanging. */
export function until<T>(store: Store<T>, isWanted: (value: T) => boolean, limitMs = 30_000): Promise<T> {
  return new Promise((resolve, reject) => {
    const check = () => {
      const value = store.get();
      if (!isWanted(value)) return;
      done();
      resolve(value);
    };
    const unsubscribe = store.subscribe(check);
    const limit = setTimeout(() => {
      done();
      reject(new Error(`did not come to hold what was wanted: ${JSON.stringify(store.get()).slice(0, 2_000)}`));
    }, limitMs);
    const done = () => {
      unsubscribe();
      clearTimeout(limit);
    };
    check();
  });
}

export function online(client: AgentClient): Promise<unknown> {
  return until(client.connection, (state) => state.kind === 'online');
}

/** Waits for something on the server's side that tells nobody. */
export async function eventually(isTrue: () => boolean, limitMs = 30_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error('it did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
