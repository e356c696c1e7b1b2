import pg from 'pg';

export interface QueryCounter {
  total: number;
}

/**
 * A client class that counts what it is asked to send. It gives up a connection that is not made in time by itself: the pool's own limit is also
 * that of whoever waits until one is free.
 */
export function countingClient(counter: QueryCounter, connectLimitMs: number): new () => pg.Client {
  const counted = class extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      super({ ...config, connectionTimeoutMillis: connectLimitMs });
    }
  };
  const { query } = pg.Client.prototype;
  counted.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    counter.total += 1;
    return Reflect.apply(query, this, args);
  } as typeof query;
  return counted;
}
