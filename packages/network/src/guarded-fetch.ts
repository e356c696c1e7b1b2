import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, fetch } from 'undici';
import type { NetworkTarget, Verdict } from './network-rules.ts';

/** Sends one request, and follows no redirect. */
export type GuardedFetch = (target: URL, init?: RequestInit) => Promise<Response>;

/** A connection that was not made. Its message says what would allow it. */
export class AddressRefused extends Error {}

const CONNECT_MS = 15_000;

/**
 * `fetch` over connections of its own: `judge` is asked before each one is made, and it leads to the very addresses that were judged. No proxy of the
 * machine is used, which would look names up again. Rejects with `AddressRefused`, else as `fetch` does. What is idle ends by itself.
 *
 * Agent and `fetch` come from one package: the one of Node would take no notice of an agent that it does not know, and so let everything pass.
 */
export function guardedFetch(judge: (target: NetworkTarget) => Promise<Verdict>): GuardedFetch {
  const agent = new Agent({ connect: guardedConnector(judge) });
  return async (target, init) => {
    if (!/^https?:$/.test(target.protocol)) throw new AddressRefused(`${target.protocol} is no way to a server. Use http or https.`);
    try {
      const request = { ...init, redirect: 'manual', dispatcher: agent } as Parameters<typeof fetch>[1];
      return (await fetch(target, request)) as unknown as Response;
    } catch (error) {
      throw error instanceof Error && error.cause instanceof AddressRefused ? error.cause : error;
    }
  };
}

function guardedConnector(judge: (target: NetworkTarget) => Promise<Verdict>): buildConnector.connector {
  return (options, done) => {
    const target = { host: options.hostname, port: Number(options.port) || (options.protocol === 'https:' ? 443 : 80) };
    judge(target).then(
      (verdict) => {
        if (!verdict.ok) return done(new AddressRefused(verdict.message), null);
        const connect = buildConnector({ timeout: CONNECT_MS, lookup: pinned(verdict.addresses) });
        return connect(options, done);
      },
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error)), null),
    );
  };
}

/** Knows the addresses that were judged, and asks nobody. */
function pinned(addresses: readonly string[]): LookupFunction {
  const known = addresses.map((address) => ({ address, family: isIP(address) }));
  return (host, options, done) => {
    const wanted = known.filter(({ family }) => [0, undefined, family].includes(familyOf(options.family)));
    const [first] = wanted;
    if (!first) done(Object.assign(new Error(`${host} has no address of that kind`), { code: 'ENOTFOUND' }), []);
    else if (options.all === true) done(null, wanted);
    else done(null, first.address, first.family);
  };
}

function familyOf(family: number | 'IPv4' | 'IPv6' | undefined): number | undefined {
  return family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : family;
}
