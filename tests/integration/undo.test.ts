import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { calls, nodeRig, runs, says } from '@tendon/testing';

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());
const at = (name: string): string => join(rig.workspace, name);

/** A session in which one turn has edited `edited`, made `made`, and run a command. */
async function changedSession() {
  await writeFile(at('edited'), 'before\n');
  await rm(at('made'), { force: true });
  const session = await rig.open();
  rig.model.script(
    [
      calls(
        { name: 'edit_file', input: { path: 'edited', oldText: 'before', newText: 'after' } },
        { name: 'write_file', input: { path: 'made', content: 'made' } },
      ),
    ],
    [runs('echo ran >> ran')],
    says('Changed.'),
  );
  await session.say('change it');
  for (let count = 1; count <= 3; count += 1) {
    const call = await session.socket.until('a call', () =>
      session.calls.length >= Math.min(count, 2) ? session.calls.find(({ state }) => state === 'awaiting_approval') : undefined,
    );
    await session.decide(call, 'approve');
    await session.untilCallIs(call.id, 'succeeded');
  }
  await session.untilStatus('idle');
  const messageId = session.messages.findLast((message) => message.role === 'assistant')?.id ?? '';
  return { session, messageId };
}

test('C18, G50: a person takes the file changes of a turn back, is told what stays, and so is the model', async () => {
  const { session, messageId } = await changedSession();
  const asked = await session.socket.ask('agent:undo', { sessionId: session.id, messageId });
  const again = await session.socket.ask('agent:undo', { sessionId: session.id, messageId });
  assert.deepEqual(again, asked);
  const call = await session.untilCall('awaiting_approval');
  assert.deepEqual([call.id, call.tool], [asked.calls[0]?.callId, 'undo_changes']);
  const { files, others } = call.input as { files: string[]; others: unknown[] };
  assert.deepEqual([files, others], [['edited', 'made'], [{ tool: 'bash', what: 'echo ran >> ran' }]]);
  const requests = rig.model.requests.length;
  await session.decide(call, 'approve');
  const done = await session.untilCallIs(call.id, 'succeeded');
  await session.untilStatus('idle');
  assert.deepEqual(done.result?.meta?.undone, [
    { path: 'edited', outcome: 'restored' },
    { path: 'made', outcome: 'removed' },
  ]);
  assert.equal(await readFile(at('edited'), 'utf8'), 'before\n');
  await assert.rejects(readFile(at('made')), { code: 'ENOENT' });
  assert.equal(rig.model.requests.length, requests, 'no model goes on by itself');
  rig.model.script(says('I see.'));
  await session.say('go on');
  await session.untilStatus('idle');
  assert.match(
    JSON.stringify(rig.model.requests.at(-1)),
    /The person has undone file changes[\s\S]*Put back as before[\s\S]*Not undone, because only file changes can be: bash/,
  );
});

test('C18: nothing is undone while the agent works, where nothing was changed, or of a message that is not there', async () => {
  const { session, messageId } = await changedSession();
  const ask = (id: string) => session.socket.request('agent:undo', { sessionId: session.id, messageId: id });
  rig.model.script([runs('echo never')], says('done'));
  await session.say('more');
  const call = await session.untilCall('awaiting_approval');
  const busy = await ask(messageId);
  assert.ok(!busy.ok && busy.error.code === 'conflict' && /agent is at work/.test(busy.error.message));
  await session.decide(call, 'deny');
  await session.untilStatus('idle');
  const last = session.messages.findLast((message) => message.role === 'assistant')?.id ?? '';
  const nothing = await ask(last);
  assert.ok(!nothing.ok && nothing.error.code === 'conflict' && /no files/.test(nothing.error.message));
  const nowhere = await ask('0199c0de-0000-7000-8000-000000000001');
  assert.ok(!nowhere.ok && nowhere.error.code === 'not_found');
});

test('C18, G50: an undo waits for a machine that is away, leaves what was changed since, and a second one is harmless', async () => {
  const { session, messageId } = await changedSession();
  await rig.gateway?.close();
  const [first] = (await session.socket.ask('agent:undo', { sessionId: session.id, messageId })).calls;
  assert.ok(first);
  await session.decide(await session.untilCallIs(first.callId, 'awaiting_approval'), 'approve');
  await session.untilCallIs(first.callId, 'queued');
  await writeFile(at('edited'), 'by hand\n');
  await rig.startGateway();
  const done = await session.untilCallIs(first.callId, 'succeeded');
  const left = { path: 'edited', outcome: 'left', why: 'it was changed since, by whom is not known' };
  assert.deepEqual(done.result?.meta?.undone, [left, { path: 'made', outcome: 'removed' }]);
  assert.equal(await readFile(at('edited'), 'utf8'), 'by hand\n');
  await session.untilStatus('idle');
  const [second] = (await session.socket.ask('agent:undo', { sessionId: session.id, messageId })).calls;
  assert.ok(second && second.callId !== first.callId);
  await session.decide(await session.untilCallIs(second.callId, 'awaiting_approval'), 'approve');
  const again = await session.untilCallIs(second.callId, 'succeeded');
  assert.deepEqual(again.result?.meta?.undone, [left, { path: 'made', outcome: 'unchanged' }]);
  session.assertGapFree();
});
