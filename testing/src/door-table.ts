export interface DoorRow {
  readonly title: string;
  readonly host?: string | null;
  readonly origin?: string;
  readonly site?: string;
  readonly fault?: 'host' | 'origin' | 'cross_site';
}

const HOST = '127.0.0.1:7420';

/** Who may come in: checked as a table by door.test.ts, and over real sockets at the server and at a relay. 7420 stands for the port. */
export const DOOR_TABLE: readonly DoorRow[] = [
  { title: 'a script without Origin' },
  { title: 'own page by address', origin: 'http://127.0.0.1:7420' },
  { title: 'own page by name', host: 'localhost:7420', origin: 'http://localhost:7420' },
  { title: 'own page by IPv6', host: '[::1]:7420', origin: 'http://[::1]:7420' },
  { title: 'an allowed further origin', origin: 'https://friend.example' },
  { title: 'a typed address', site: 'none' },
  { title: 'a same-origin fetch without Origin', site: 'same-origin' },
  { title: 'the public name', host: 'tendon.example', origin: 'https://tendon.example' },

  { title: 'no Host', host: null, fault: 'host' },
  { title: 'a rebound name', host: 'evil.com:7420', fault: 'host' },
  { title: 'a rebound name without port', host: 'evil.com', fault: 'host' },
  { title: 'another port in Host', host: '127.0.0.1:7421', fault: 'host' },
  { title: 'no port in Host', host: '127.0.0.1', fault: 'host' },
  { title: 'a trailing dot in Host', host: 'localhost.:7420', fault: 'host' },
  { title: 'mixed case in Host', host: 'LocalHost:7420', fault: 'host' },
  { title: 'user info in Host', host: 'evil.com@127.0.0.1:7420', fault: 'host' },
  { title: 'our name as a prefix in Host', host: '127.0.0.1.evil.com:7420', fault: 'host' },
  { title: 'another loopback address', host: '127.0.0.2:7420', fault: 'host' },
  { title: 'the wildcard address', host: '0.0.0.0:7420', fault: 'host' },
  { title: 'an address in another notation', host: '2130706433:7420', fault: 'host' },
  { title: 'long IPv6 notation', host: '[0:0:0:0:0:0:0:1]:7420', fault: 'host' },

  { title: 'Origin null', origin: 'null', fault: 'origin' },
  { title: 'another site', origin: 'https://evil.com', fault: 'origin' },
  { title: 'another port', origin: 'http://localhost:1337', fault: 'origin' },
  { title: 'no port', origin: 'http://localhost', fault: 'origin' },
  { title: 'https for http', origin: 'https://127.0.0.1:7420', fault: 'origin' },
  { title: 'http for https', host: 'tendon.example', origin: 'http://tendon.example', fault: 'origin' },
  { title: 'our address as a prefix', origin: 'http://127.0.0.1.evil.com', fault: 'origin' },
  { title: 'our name as a prefix', origin: 'http://localhost.evil.com:7420', fault: 'origin' },
  { title: 'user info', origin: 'http://127.0.0.1:7420@evil.com', fault: 'origin' },
  { title: 'mixed case', origin: 'http://LOCALHOST:7420', fault: 'origin' },
  { title: 'a trailing dot', origin: 'http://localhost.:7420', fault: 'origin' },
  { title: 'a trailing slash', origin: 'http://127.0.0.1:7420/', fault: 'origin' },
  { title: 'an extension', origin: 'chrome-extension://abcdefgh', fault: 'origin' },
  { title: 'a file', origin: 'file://', fault: 'origin' },
  { title: 'two origins in one', origin: 'http://127.0.0.1:7420 https://evil.com', fault: 'origin' },
  { title: 'an empty Origin', origin: '', fault: 'origin' },

  { title: 'cross-site without Origin', site: 'cross-site', fault: 'cross_site' },
  { title: 'another local port without Origin', site: 'same-site', fault: 'cross_site' },
  { title: 'an unknown Sec-Fetch-Site', site: 'whatever', fault: 'cross_site' },
];

/** The raw headers of a row, for a server on this port with the public address https://tendon.example and the friend https://friend.example. */
export function doorHeaders(row: DoorRow, port: number): string[] {
  const at = (text: string) => text.replaceAll('7420', String(port)).replaceAll('7421', String(port + 1));
  const pairs: string[] = row.host === null ? [] : ['Host', at(row.host ?? HOST)];
  if (row.origin !== undefined) pairs.push('Origin', at(row.origin));
  if (row.site !== undefined) pairs.push('Sec-Fetch-Site', row.site);
  return pairs;
}
