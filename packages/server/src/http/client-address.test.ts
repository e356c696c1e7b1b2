import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { clientAddress } from './client-address.ts';

function request(peer: string | undefined, forwarded?: string): IncomingMessage {
  return { socket: { remoteAddress: peer }, connection: { remoteAddress: peer }, headers: { 'x-forwarded-for': forwarded } } as unknown as IncomingMessage;
}

const ROWS: readonly {
  readonly title: string;
  readonly trusted: readonly string[];
  readonly peer?: string;
  readonly forwarded?: string;
  readonly is: string;
}[] = [
  { title: 'no proxy is trusted', trusted: [], peer: '127.0.0.1', forwarded: '203.0.113.9', is: '127.0.0.1' },
  { title: 'the peer is none', trusted: ['10.0.0.1'], peer: '198.51.100.7', forwarded: '203.0.113.9', is: '198.51.100.7' },
  { title: 'the peer is one', trusted: ['10.0.0.1'], peer: '10.0.0.1', forwarded: '203.0.113.9', is: '203.0.113.9' },
  { title: 'the peer is one of a network', trusted: ['10.0.0.0/8'], peer: '10.9.8.7', forwarded: '203.0.113.9', is: '203.0.113.9' },
  { title: 'the client wrote the header too', trusted: ['10.0.0.1'], peer: '10.0.0.1', forwarded: '1.1.1.1, 203.0.113.9', is: '203.0.113.9' },
  { title: 'the client wrote a proxy into it', trusted: ['10.0.0.0/8'], peer: '10.0.0.1', forwarded: '1.1.1.1, 203.0.113.9, 10.0.0.2', is: '203.0.113.9' },
  { title: 'it says nothing', trusted: ['10.0.0.1'], peer: '10.0.0.1', is: '10.0.0.1' },
  { title: 'IPv4 in IPv6', trusted: ['10.0.0.1'], peer: '::ffff:10.0.0.1', forwarded: '::ffff:203.0.113.9', is: '203.0.113.9' },
  { title: 'IPv6', trusted: ['fd00::/8'], peer: 'fd00::1', forwarded: '2001:db8::5', is: '2001:db8::5' },
  { title: 'the proxy adds a port', trusted: ['10.0.0.1'], peer: '10.0.0.1', forwarded: '203.0.113.9:50123', is: '203.0.113.9' },
  { title: 'the proxy adds a port to IPv6', trusted: ['10.0.0.1'], peer: '10.0.0.1', forwarded: '[2001:db8::5]:50123', is: '2001:db8::5' },
  { title: 'it is no address', trusted: ['10.0.0.0/8'], peer: '10.0.0.1', forwarded: 'x'.repeat(1_000), is: '10.0.0.1' },
  { title: 'the connection has ended', trusted: ['10.0.0.1'], forwarded: '203.0.113.9', is: '' },
];

for (const { title, trusted, peer, forwarded, is } of ROWS) {
  test(`H28: ${title}`, () => assert.equal(clientAddress(trusted)(request(peer, forwarded)), is));
}
