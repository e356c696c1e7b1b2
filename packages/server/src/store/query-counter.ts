import pg from 'pg';

export interface QueryCounter {
  total: number;
}

/** A client class that counts what it is asked to send. */
export function countingClient(counter: QueryCounter): new () => pg.Client {
  const counted = class extends pg.Client {};
  const { query } = pg.Client.prototype;
  counted.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    counter.total += 1;
    return Reflect.apply(query, this, args);
  } as typeof query;
  return counted;
}
