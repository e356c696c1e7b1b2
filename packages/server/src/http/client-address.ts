import type { IncomingMessage } from 'node:http';
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
    return peer === undefined ? '' : plain(trustedProxies.length === 0 ? peer : proxyAddress(request, isTrusted));
  };
}

/** IPv4 as such, also where the socket takes both kinds. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}
