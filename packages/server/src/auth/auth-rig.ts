import { randomBytes } from 'node:crypto';
import { testDatabase } from '@tendon/testing';
import type { Config } from '../config.ts';
import { Door } from '../http/door.ts';
import { createLog, type Log } from '../log.ts';
import { Keyring } from '../secrets/keyring.ts';
import { connect, type Database } from '../store/database.ts';
import { type Auth, type AuthOptions, createAuth } from './auth.ts';

/** An auth over a real database of its own, a clock that tests move, and a log they can read. For tests. */
export interface AuthRig extends AsyncDisposable {
  readonly auth: Auth;
  readonly door: Door;
  readonly database: Database;
  readonly log: Log;
  /** Finished log lines of handled attempts. */
  readonly lines: Record<string, unknown>[];
  readonly rawLines: string[];
  readonly clock: { now: Date };
  /** Until the pool has nothing under way: the use of a key and a refused sign-in are noted while their request is answered. */
  noted(): Promise<void>;
  /** A second node on the same database, with the same secret key unless another one is given. */
  another(config?: Partial<AuthOptions['config']>, otherSecretKey?: Buffer): Promise<Auth>;
}

export async function authRig(
  config: Partial<Pick<Config, 'auth' | 'ownerKey' | 'jwt' | 'oidc' | 'controlKey' | 'publicUrl' | 'desktop'>> = {},
  port = 7420,
): Promise<AuthRig> {
  const made = await testDatabase();
  const rawLines: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const log = createLog({
    level: 'info',
    pretty: false,
    destination: {
      write(line: string) {
        rawLines.push(line);
        lines.push(JSON.parse(line) as Record<string, unknown>);
      },
    },
  });
  const database = connect(made.url, log);
  const clock = { now: new Date() };
  const door = new Door({ host: '127.0.0.1', publicUrl: config.publicUrl, allowedOrigins: [], trustedProxies: [] });
  if (port !== 0) door.listening(port);
  const secretKey = randomBytes(32);
  const another = (other: Partial<AuthOptions['config']> = {}, otherSecretKey = secretKey) =>
    createAuth({
      config: { auth: 'required', ownerKey: undefined, jwt: undefined, controlKey: undefined, desktop: false, ...config, ...other },
      pool: database.pool,
      secretKey: otherSecretKey,
      keyring: new Keyring(otherSecretKey, [secretKey]),
      door,
      log,
      now: () => clock.now,
    });
  const auth = await another();
  return {
    auth,
    door,
    database,
    log,
    lines,
    rawLines,
    clock,
    another,
    async noted() {
      const { pool } = database;
      while (pool.idleCount < pool.totalCount || pool.waitingCount > 0) await new Promise((resolve) => setImmediate(resolve));
    },
    async [Symbol.asyncDispose]() {
      await database.close();
      await made[Symbol.asyncDispose]();
    },
  };
}

/** The `name=value` of a `Set-Cookie` line. */
export function cookiePair(setCookie: string): string {
  return String(setCookie.split(';')[0]);
}
