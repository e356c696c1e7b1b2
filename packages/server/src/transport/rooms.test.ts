import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AGENT_NOTICES, type Delta, type Session, validate } from '@tendon/protocol';
import type { Socket } from 'socket.io-client';
import { attaching, OTHER_SESSION, SESSION, TransportRig } from './transport-rig.ts';

function delta(sessionId: string, offset: number): Delta {
  return { sessionId, messageId: sessionId, part: 0, kind: 'text', offset, text: 'x' };
}

function deltasOf(socket: Socket): Delta[] {
  const received: Delta[] = [];
  socket.on('session:delta', (notice: Delta) => received.push(notice));
  return received;
}

test('T13: deltas arrive once each, in the order they were emitted, over WebSocket and polling', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {} });
  const clients = [await rig.connected('/agent', 'ada'), await rig.connected('/agent', 'ada', { transports: ['polling'] })];
  const received = clients.map(deltasOf);
  for (const client of clients) await client.emitWithAck('session:attach', { sessionId: SESSION });
  for (let offset = 0; offset < 2_000; offset += 1) {
    rig.transport.fanout.toSession(SESSION, 'session:delta', delta(SESSION, offset));
    if (offset % 100 === 0) await new Promise((done) => setImmediate(done));
  }
  for (const client of clients) await client.emitWithAck('session:list', {});
  for (const deltas of received) {
    assert.deepEqual(
      deltas.map((notice) => notice.offset),
      Array.from({ length: 2_000 }, (_, index) => index),
    );
    assert.ok(validate(AGENT_NOTICES['session:delta'], deltas[0]).ok);
  }
});

test('T13: only who is attached hears a session, and only a user hears what is theirs', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {} });
  const { fanout } = rig.transport;
  const [ada, bob, adasPhone] = [await rig.connected('/agent', 'ada'), await rig.connected('/agent', 'bob'), await rig.connected('/agent', 'ada')];
  const heard = [ada, bob, adasPhone].map((client) => {
    const names: string[] = [];
    client.onAny((name: string) => names.push(name));
    return names;
  });
  const machine = await rig.connected('/gateway', 'ada');
  machine.onAny(() => assert.fail('a machine hears nothing of sessions'));
  await ada.emitWithAck('session:attach', { sessionId: SESSION });
  await bob.emitWithAck('session:attach', { sessionId: OTHER_SESSION });
  assert.deepEqual([fanout.hasAudience(SESSION), fanout.hasAudience(OTHER_SESSION), fanout.hasAudience('nobody')], [true, true, false]);
  fanout.toSession(SESSION, 'session:delta', delta(SESSION, 0));
  fanout.toUser('ada', 'server:notice', { code: 'x', message: 'x' });
  await ada.emitWithAck('session:detach', { sessionId: SESSION });
  fanout.toSession(SESSION, 'session:delta', delta(SESSION, 1));
  await Promise.all(
    [ada, bob, adasPhone, machine].map((client) =>
      client.emitWithAck(client === machine ? 'tool:started' : 'session:list', client === machine ? { callId: SESSION } : {}),
    ),
  );
  assert.deepEqual(heard, [['session:delta', 'server:notice'], [], ['server:notice']]);
  assert.equal(fanout.hasAudience(SESSION), false);
});

test('T13: a notice is serialised once for all its readers, and not at all for none', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {} });
  for (let reader = 0; reader < 3; reader += 1) await (await rig.connected('/agent', 'ada')).emitWithAck('session:attach', { sessionId: SESSION });
  let serialised = 0;
  const count = (): number => {
    serialised += 1;
    return serialised;
  };
  const counted = { ...delta(SESSION, 0), toJSON: () => ({ times: count() }) };
  rig.transport.fanout.toSession(SESSION, 'session:delta', counted);
  assert.equal(serialised, 1);
  rig.transport.fanout.toSession(OTHER_SESSION, 'session:delta', counted);
  assert.equal(serialised, 1);
});

test('T13: a socket that has gone leaves no room behind', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {} });
  const client = await rig.connected('/agent', 'ada');
  await client.emitWithAck('session:attach', { sessionId: SESSION });
  client.disconnect();
  while (rig.transport.connections().open > 0) await new Promise((done) => setImmediate(done));
  assert.equal(rig.transport.fanout.hasAudience(SESSION), false);
});

test('T23: two hundred changes of ten sessions reach a client as few summaries, the newest of each among them and last', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {} });
  const client = await rig.connected('/agent', 'ada');
  const heard: { id: string; title: string }[] = [];
  const isNewest = new Promise<void>((resolve) => {
    client.on('session:summary', ({ session }: { session: { id: string; title: string } }) => {
      heard.push(session);
      if (new Set(heard.filter(({ title }) => title === '19').map(({ id }) => id)).size === 10) resolve();
    });
  });
  for (let change = 0; change < 20; change += 1)
    for (let id = 0; id < 10; id += 1)
      rig.transport.fanout.toUser('ada', 'session:summary', { session: { id: `session ${id}`, title: String(change) } as Session });
  await isNewest;
  assert.equal(heard.length, 11);
  assert.deepEqual(heard[0], { id: 'session 0', title: '0' });
});
