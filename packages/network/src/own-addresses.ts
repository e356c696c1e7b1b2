import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

/** `EXAMPLE.org.` as `example.org`, `0x7f.1` as `127.0.0.1`, `[::1]` as `::1`; undefined for what is no host. The rules of the URL standard. */
export function canonicalHost(host: string): string | undefined {
  const hostname = URL.parse(`http://${host}/`)?.hostname;
  if (hostname === undefined || hostname === '') return undefined;
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname.replace(/\.$/, '');
  return bare === '' ? undefined : bare;
}

export function isLoopback(address: string): boolean {
  return ipaddr.process(address).range() === 'loopback';
}

const PUBLIC_IPV6 = ipaddr.IPv6.parse('2000::');

/** Public, and not one of this machine's own. Only `unicast` will do: every list of what is private forgets something. */
export function isPublic(address: string): boolean {
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast' || isOwn(address)) return false;
  // What is given out to the public (RFC 4291, section 2.4). The library takes `::127.0.0.1`, which was IPv4 once, for unicast too.
  return parsed instanceof ipaddr.IPv4 || parsed.match(PUBLIC_IPV6, 3);
}

/** Leads to this machine: loopback, "any address", or one of its interfaces. */
export function isOwn(address: string): boolean {
  const parsed = ipaddr.process(address);
  if (['loopback', 'unspecified'].includes(parsed.range())) return true;
  const text = parsed.toString();
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some((own) => isIP(own.address) !== 0 && normal(own.address) === text));
}

function normal(address: string): string {
  return ipaddr.process(address).toString();
}
