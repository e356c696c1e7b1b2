import ipaddr from 'ipaddr.js';
import { canonicalHost, isLoopback } from './own-addresses.ts';

/**
 * One entry of `network.allow`: what of the addresses that are not public a tool may reach.
 *
 *   localhost:3000      this machine by its usual names and addresses, one port
 *   wiki.corp           a host by its name, whatever it resolves to, every port
 *   *.corp:8443         every name below it
 *   10.1.2.3, [::1]:80  an address
 *   10.0.0.0/8          a network, also for names that lead into it
 */
export interface AllowedTarget {
  readonly host: string;
  readonly port: number | undefined;
  readonly network: boolean;
}

/** What is said of an entry that is none. */
export const NO_TARGET = 'must be a host, a host and port, an address or a network, such as localhost:3000 or 10.0.0.0/8';

/** Undefined for what is no such entry. Pure. */
export function parseAllowed(entry: string): AllowedTarget | undefined {
  if (entry.includes('/')) return ipaddr.isValidCIDR(entry) ? { host: entry, port: undefined, network: true } : undefined;
  const match = /^(\*\.)?(\[[0-9a-fA-F:.]+\]|[^\s:/?#@*[\]]+)(?::(\d{1,5}))?$/.exec(entry);
  const host = canonicalHost(match?.[2] ?? (ipaddr.IPv6.isValid(entry) ? `[${entry}]` : ''));
  if (host === undefined) return undefined;
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  return { host: match?.[1] === undefined ? host : `*.${host}`, port, network: false };
}

export interface Asked {
  /** As it was asked for, in its canonical form. */
  readonly host: string;
  readonly port: number;
  /** One of the addresses it leads to. */
  readonly address: string;
}

/** Whether an entry lets this address in. A name that is allowed may lead anywhere; that a name leads to an allowed address is not enough. Pure. */
export function isAllowed(entries: readonly AllowedTarget[], asked: Asked): boolean {
  return entries.some((entry) => (entry.port === undefined || entry.port === asked.port) && lets(entry, asked));
}

function lets(entry: AllowedTarget, { host, address }: Asked): boolean {
  if (entry.network) return isInside(entry.host, address);
  // A strange name that someone has pointed at this machine is not what its owner means by localhost.
  if (entry.host === 'localhost') return isLoopback(address) && (host === 'localhost' || host.endsWith('.localhost') || ipaddr.isValid(host));
  if (entry.host.startsWith('*.')) return host.endsWith(entry.host.slice(1));
  return entry.host === host;
}

function isInside(network: string, address: string): boolean {
  const [base, bits] = ipaddr.parseCIDR(network);
  const parsed = ipaddr.process(address);
  return parsed.kind() === base.kind() && parsed.match(base, bits);
}
