import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STUBBORN_CLIENTS, within } from '@tendon/testing';
import { TransportRig } from './transport-rig.ts';

/** Only met when something is wrong: under the half minute after which others would end such a connection. */
const LIMIT_MS = 20_000;

function rigWithoutAnswers(): Promise<TransportRig> {
  return TransportRig.start({ limits: { closeGraceMs: 50 }, agent: { 'session:list': () => new Promise(() => undefined) } });
}

for (const { title, open } of STUBBORN_CLIENTS)
  test(`T19: neither the transport nor its HTTP server waits for a client that ${title}`, async () => {
    const rig = await rigWithoutAnswers();
    const client = await open({ port: rig.port, namespace: '/agent', token: 'ada' });
    try {
      await within('the transport to close', rig.transport.close(), LIMIT_MS);
      assert.equal(rig.transport.connections().open, 0);
      await within('its HTTP server to close', rig[Symbol.asyncDispose](), LIMIT_MS);
    } finally {
      client.destroy();
    }
  });

test('T19: nor for clients that connect again at once', async () => {
  const rig = await rigWithoutAnswers();
  const again = { reconnection: true, reconnectionDelay: 0, reconnectionDelayMax: 1 };
  const ways = [['websocket'], ['polling'], ['polling', 'websocket']];
  await Promise.all(ways.map((transports) => rig.connected('/agent', 'ada', { ...again, transports })));
  const http = new Promise((resolve) => rig.http.once('close', resolve));
  await within('the transport to close', rig.transport.close(), LIMIT_MS);
  rig.http.close();
  rig.http.closeAllConnections();
  await within('its HTTP server to close', http, LIMIT_MS);
  await rig[Symbol.asyncDispose]();
});
