import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyAddress from 'proxy-addr';

/** Tells the address that a request really came from. */
export type ClientAddress = (request: IncomingMessage) => string;

/**
 * The peer's address, or, when the peer is one of these proxies (addresses, or networks as `10.0.0.0/8`), the last one in `X-Forwarded-For`
 * that is none of them. What anybody else writes into that header is not looked at.
 */
export function clientAddress(trustedProxies: readonly string[]): ClientAddress {
  const isTrusted = proxyAddress.compile([...trustedProxies]);
  return (request) => {
    const peer = request.socket.remoteAddress;
    // A connection that has ended meanwhile has no address any more.
    if (peer === undefined) return '';
    const said = trustedProxies.length === 0 ? peer : plain(withoutPort(proxyAddress(request, isTrusted)));
    // What is no address was written by somebody who is trusted and should not be.
    return isIP(said) === 0 ? plain(peer) : plain(said);
  };
}

/** Some proxies write `203.0.113.9:50123` or `[2001:db8::5]:50123`. */
function withoutPort(text: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1] ?? text;
}

/** IPv4 as such, also where the socket takes both kinds. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}
