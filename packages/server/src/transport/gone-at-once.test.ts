import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { TransportRig } from './transport-rig.ts';

const WEB_SOCKET = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

for (const [transport, headers] of [
  ['websocket', WEB_SOCKET],
  ['polling', ''],
] as const)
  test(`T28: a client that comes by ${transport} and is gone before it was looked at has no address, and harms nobody`, async () => {
    await using rig = await TransportRig.start();
    const gone = Array.from({ length: 30 }, () => rig.tcp());
    await Promise.all(gone.map((socket) => once(socket, 'connect')));
    const request = `GET /socket.io/?EIO=4&transport=${transport} HTTP/1.1\r\nHost: 127.0.0.1:${rig.port}\r\n${headers}\r\n`;
    // Within one turn of the loop that the server shares: it reads each request from a connection that the kernel has torn down by then.
    for (const socket of gone) socket.write(request, () => undefined);
    for (const socket of gone) socket.resetAndDestroy();
    await rig.connected('/agent', 'ada');
    assert.equal(rig.transport.connections().agent, 1);
  });
