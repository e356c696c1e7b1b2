import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { nodeRig, until, within } from '@tendon/testing';
import { MachineSocket } from './machine-socket.ts';

/*
 * A revocation goes by two ways: word of it, at once and to every node, and each node's own look at the database once a second, for what was
 * not heard. Here nobody can look, so that what ends has ended by word. How often a node looks is in packages/server/src/auth/ended-credentials.test.ts.
 */

const lines: string[] = [];
const rig = await nodeRig({ hasGateway: false, onLogLine: (line) => lines.push(line) });
after(() => rig[Symbol.asyncDispose]());
const other = await rig.startNode();

const failedLooks = () => lines.filter((line) => line.includes('whether credentials have ended could not be looked up')).length;

test('H14, I14: a revoked key loses its connections at each node by word alone, while no node can look, and keeps nobody else’s', async () => {
  const { key, row } = await rig.server.auth.createKey({ userId: rig.server.ownerId, name: 'revoked' });
  const sockets = [await rig.connect({ key }), await other.connect({ key })];
  const stays = [await rig.connect(), await other.connect()];
  await using machine = await MachineSocket.connect({ url: rig.url, key });
  // A look asks this table, too; a request with a key does not.
  await rig.sql('alter table auth_sessions rename to auth_sessions_away');
  await until({ what: 'looks of both nodes to have failed', pollMs: 20, deadlineMs: 30_000, check: () => failedLooks() >= 4 || undefined });
  const answer = await fetch(`${rig.url}/api/keys/${row.id}`, { method: 'DELETE', headers: { authorization: `Bearer ${rig.key}` } });
  assert.equal(answer.status, 200);
  await within('its connections to end', Promise.all(sockets.map((socket) => socket.ended)), 20_000);
  await until({ what: 'the machine’s connection to end', pollMs: 20, deadlineMs: 20_000, check: () => !machine.isConnected || undefined });
  for (const socket of stays) assert.deepEqual((await socket.request('session:list', {})).ok, true);
  const failedBefore = failedLooks();
  await until({ what: 'looks to fail still', pollMs: 20, deadlineMs: 30_000, check: () => failedLooks() > failedBefore || undefined });
  await rig.sql('alter table auth_sessions_away rename to auth_sessions');
});
