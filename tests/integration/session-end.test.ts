import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { calls, isRunning, nodeRig, processesWith, type SessionView, says, until, untilEnded } from '@tendon/testing';

/* A session that is deleted leaves nothing on its machine, which may be away at that moment. */

const rig = await nodeRig({ isProxied: true });
after(() => rig[Symbol.asyncDispose]());
const other = await rig.startNode();
let count = 0;

/** A session that has left a server running on the machine. */
async function sessionWithServer(): Promise<{ session: SessionView; pids: number[] }> {
  count += 1;
  const word = `left-${process.pid}-${count}`;
  const session = await rig.open();
  rig.model.script([calls({ name: 'bash', input: { command: `sleep 1000; echo ${word}`, background: true } })], says('It runs.'));
  await session.say('start the server');
  const call = await session.untilCall('awaiting_approval');
  await session.decide(call, 'approve');
  await session.untilCallIs(call.id, 'succeeded');
  await session.untilStatus('idle');
  const pids = processesWith(word).map(({ pid }) => pid);
  assert.ok(pids.length > 0);
  return { session, pids };
}

test('C17: what a session has left running ends when it is deleted, at whatever node; one that is archived, and another one, keep theirs', async () => {
  const [kept, archived, deleted, atOther] = [await sessionWithServer(), await sessionWithServer(), await sessionWithServer(), await sessionWithServer()];
  await archived.session.socket.ask('session:update', { sessionId: archived.session.id, archived: true });
  await deleted.session.socket.ask('session:delete', { sessionId: deleted.session.id });
  await untilEnded(deleted.pids);
  const elsewhere = await other.connect();
  await elsewhere.ask('session:delete', { sessionId: atOther.session.id });
  await untilEnded(atOther.pids);
  assert.ok([...kept.pids, ...archived.pids].every(isRunning));
});

test('C17: a machine that was away ends it when it is back', async () => {
  const [kept, archived, deleted] = [await sessionWithServer(), await sessionWithServer(), await sessionWithServer()];
  const watcher = await rig.connect();
  await rig.proxy.refuse();
  const isAway = () => watcher.received.some(({ name, notice }) => name === 'gateway:presence' && !notice.gateway.online) || undefined;
  await until({ what: 'the machine to be away', pollMs: 20, deadlineMs: 60_000, check: isAway });
  await watcher.ask('session:update', { sessionId: archived.session.id, archived: true });
  await watcher.ask('session:delete', { sessionId: deleted.session.id });
  assert.ok([...archived.pids, ...deleted.pids].every(isRunning));
  await rig.proxy.accept();
  await untilEnded(deleted.pids, 60_000);
  assert.ok([...kept.pids, ...archived.pids].every(isRunning));
});

test('C17: what was kept for an undo goes with its session also when the gateway was started anew meanwhile', async () => {
  const sessionWithChange = async (): Promise<SessionView> => {
    const session = await rig.open();
    rig.model.script([calls({ name: 'write_file', input: { path: session.id, content: 'made' } })], says('Made.'));
    await session.say('make it');
    const call = await session.untilCall('awaiting_approval');
    await session.decide(call, 'approve');
    await session.untilCallIs(call.id, 'succeeded');
    await session.untilStatus('idle');
    return session;
  };
  const [kept, archived, deleted] = [await sessionWithChange(), await sessionWithChange(), await sessionWithChange()];
  await rig.gateway?.close();
  await archived.socket.ask('session:update', { sessionId: archived.id, archived: true });
  await deleted.socket.ask('session:delete', { sessionId: deleted.id });
  await rig.startGateway();
  const [name = ''] = await readdir(join(rig.home, 'gateway'));
  const folderOf = ({ id }: SessionView): string => join(rig.home, 'gateway', name, 'undo', 'sessions', id);
  const isKept = (session: SessionView): boolean => existsSync(folderOf(session));
  await until({ what: 'what was kept of it to go', pollMs: 20, check: () => !isKept(deleted) });
  for (const session of [kept, archived]) assert.ok(isKept(session));
});
