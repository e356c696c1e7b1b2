import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type GatewayHandle, startGateway } from '@tendon/gateway';
import { createLog } from '@tendon/server';
import { nodeRig, resultText, runs, says, temporaryFolder, until } from '@tendon/testing';

/* One person with two machines: sessions on either, one that moves, and work for the one that is away. */

const rig = await nodeRig();
const folder = await temporaryFolder();

async function startSecond(): Promise<GatewayHandle> {
  const options = { serverUrl: rig.url, token: rig.key, home: join(folder.path, '.home'), name: 'second', workspaces: [folder.path] };
  const handle = await startGateway({ ...options, log: createLog({ level: 'error', pretty: false }), version: '0.0.0' });
  assert.equal((await handle.ready()).kind, 'online');
  return handle;
}

const first = rig.gateway;
assert.ok(first);
let second = await startSecond();
// The folder last: until it has ended, the second machine has its home there.
after(async () => {
  await second.close();
  await rig[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});
const onFirst = { gatewayId: first.gatewayId, workspace: rig.workspace };
const onSecond = { gatewayId: second.gatewayId, workspace: folder.path };

test('C16: two machines of a person are both there, each with its own folders, and a session runs where it was made for', async () => {
  const socket = await rig.connect();
  const { gateways } = await socket.ask('gateway:list', {});
  assert.deepEqual(
    gateways
      .map(({ id, online, workspaces }) => ({ gatewayId: id, online, workspace: workspaces[0]?.path }))
      .toSorted((a, b) => a.gatewayId.localeCompare(b.gatewayId)),
    [onFirst, onSecond].map((place) => ({ ...place, online: true })).toSorted((a, b) => a.gatewayId.localeCompare(b.gatewayId)),
  );
  for (const place of [onFirst, onSecond]) {
    rig.model.script([runs('pwd')], says('Done.'));
    const session = await rig.open(place);
    await session.say('where?');
    const call = await session.untilCall('awaiting_approval');
    await session.decide(call, 'approve');
    assert.equal(resultText(await session.untilCallIs(call.id, 'succeeded')), `${place.workspace}\n`);
    await session.untilStatus('idle');
  }
});

test('C16: a session that moves takes what it asks for next to the other machine; what waited keeps the machine it was shown with', async () => {
  rig.model.script([runs('pwd')], says('There.'), [runs('pwd')], says('Here.'));
  const session = await rig.open(onFirst);
  await session.say('where?');
  const call = await session.untilCall('awaiting_approval');
  await session.socket.ask('session:update', { sessionId: session.id, ...onSecond });
  await session.decide(call, 'approve');
  assert.equal(resultText(await session.untilCallIs(call.id, 'succeeded')), `${rig.workspace}\n`, 'as it was shown');
  await session.untilStatus('idle');
  await session.say('and now?');
  const next = await session.untilCall('awaiting_approval');
  assert.deepEqual([next.gatewayId, next.workspace], [onSecond.gatewayId, onSecond.workspace]);
  await session.decide(next, 'approve');
  assert.equal(resultText(await session.untilCallIs(next.id, 'succeeded')), `${folder.path}\n`);
  await session.untilStatus('idle');
});

test('C16: work for a machine that is away waits for that one, while the other works; a folder of one is none of the other', async () => {
  const watcher = await rig.connect();
  await second.close();
  const isAway = () =>
    watcher.received.some(({ name, notice }) => name === 'gateway:presence' && notice.gateway.id === second.gatewayId && !notice.gateway.online);
  await until({ what: 'the second to be away', pollMs: 20, check: () => isAway() || undefined });
  rig.model.script([runs('pwd')]);
  const waiting = await rig.open(onSecond);
  await waiting.say('where?');
  const call = await waiting.untilCall('awaiting_approval');
  await waiting.decide(call, 'approve');
  await waiting.untilCallIs(call.id, 'queued');
  rig.model.script([runs('pwd')], says('Done.'));
  const working = await rig.open(onFirst);
  await working.say('where?');
  const other = await working.untilCall('awaiting_approval');
  await working.decide(other, 'approve');
  await working.untilCallIs(other.id, 'succeeded');
  await working.untilStatus('idle');
  const wrong = await watcher.request('session:update', { sessionId: working.id, gatewayId: onSecond.gatewayId, workspace: rig.workspace });
  assert.equal(wrong.ok ? '' : wrong.error.code, 'invalid_payload');
  rig.model.script(says('Back.'));
  second = await startSecond();
  assert.equal(resultText(await waiting.untilCallIs(call.id, 'succeeded')), `${folder.path}\n`);
  await waiting.untilStatus('idle');
});
