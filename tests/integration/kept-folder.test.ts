import assert from 'node:assert/strict';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Call } from '@tendon/protocol';
import { calls, nodeRig, resultText, runs, type SessionView, says } from '@tendon/testing';

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());

const folderOf = (call: Call): string | undefined => (call.input as { cwd?: string }).cwd;

/** Has the model ask for this, and answers with the call that waits for its person. */
async function asks(session: SessionView, step: ReturnType<typeof calls>): Promise<Call> {
  const before = new Set(session.calls.map((call) => call.id));
  rig.model.script([step], says('I see.'));
  await session.say('go');
  await session.socket.until('a further call', () => session.calls.some((call) => !before.has(call.id)));
  const call = session.calls.find((candidate) => !before.has(candidate.id));
  assert.ok(call);
  return call;
}

async function over(session: SessionView, call: Call): Promise<Call> {
  await session.decide(call, 'approve');
  await session.untilStatus('idle');
  const now = session.calls.find((candidate) => candidate.id === call.id);
  assert.ok(now);
  return now;
}

describe('the folder of a session', () => {
  test('G46: the next command is asked for where the one before it ended, is shown so, and runs there', async () => {
    const session = await rig.open();
    const name = `it's "new"\nüß ${session.id}`;
    const first = await over(session, await asks(session, runs(`mkdir -p "${name.replaceAll('"', '\\"')}"; cd "${name.replaceAll('"', '\\"')}"`)));
    assert.equal(folderOf(first), undefined);
    const second = await asks(session, runs('pwd'));
    assert.equal(folderOf(second), name);
    const ran = await over(session, second);
    assert.ok(resultText(ran).startsWith(`${join(rig.workspace, name)}\n`));
    const named = await asks(session, calls({ name: 'bash', input: { command: 'pwd', cwd: '.' } }));
    assert.equal(folderOf(named), '.');
    await over(session, named);
    assert.equal(folderOf(await over(session, await asks(session, runs('pwd')))), undefined);
  });

  test('G46: a command that waited runs in the folder that was shown, or not at all', async () => {
    const session = await rig.open();
    const kept = `kept-${session.id}`;
    await over(session, await asks(session, runs(`mkdir ${kept}; cd ${kept}`)));
    const waiting = await asks(session, runs('touch here'));
    assert.equal(folderOf(waiting), kept);
    await rename(join(rig.workspace, kept), join(rig.workspace, `${kept}-moved`));
    const failed = await over(session, waiting);
    assert.deepEqual([failed.state, failed.result?.error?.code], ['failed', 'not_found']);
    assert.match(resultText(failed), /Nothing was run\. The next command starts in the workspace/);
    const next = await asks(session, runs('pwd'));
    assert.equal(folderOf(next), undefined);
    assert.equal(resultText(await over(session, next)), `${rig.workspace}\n`);
    await rm(join(rig.workspace, `${kept}-moved`), { recursive: true });
  });

  test('G46: commands asked for together start in one place, and the last in their order counts', async () => {
    const session = await rig.open();
    const names = ['one', 'two'].map((name) => `${name}-${session.id}`);
    for (const name of names) await mkdir(join(rig.workspace, name));
    rig.model.script([calls(...names.map((name) => ({ name: 'bash', input: { command: `cd ${name}; pwd` } })))], says('Both.'));
    await session.say('both');
    await session.socket.until('two calls', () => session.calls.length === 2);
    const [one, two] = session.calls;
    assert.ok(one && two);
    await session.decide(two, 'approve');
    await session.untilCallIs(two.id, 'succeeded');
    await over(session, one);
    assert.deepEqual([folderOf(one), folderOf(two)], [undefined, undefined]);
    assert.equal(folderOf(await over(session, await asks(session, runs('pwd')))), names[1]);
  });

  test('G48: typing into a terminal is decided each time, and no rule can be made for it', async () => {
    const session = await rig.open();
    await over(session, await asks(session, calls({ name: 'bash', input: { command: 'cat', background: true, terminal: true } })));
    const id = String(session.calls[0]?.result?.meta?.['process']);
    const typing = await asks(session, calls({ name: 'write_process', input: { id, text: 'hello\n', keys: ['ctrl_d'] } }));
    const { callId, inputHash } = { callId: typing.id, inputHash: typing.inputHash };
    const always = await session.socket.request('tool:decide', { sessionId: session.id, callId, inputHash, decision: 'approve', scope: 'always' });
    assert.equal(!always.ok && always.error.code, 'invalid_payload');
    const echo = 'hello\r\n';
    assert.match(resultText(await over(session, typing)), new RegExp(`Typed into p\\d+\\.[\\s\\S]*${echo}`));
    // The terminal says it again at once, and the program when it has its turn.
    const reading = await asks(session, calls({ name: 'read_process', input: { id, fromByte: echo.length, waitMs: 20_000 } }));
    assert.ok(resultText(await session.untilCallIs(reading.id, 'succeeded')).includes(echo));
    assert.deepEqual((await session.socket.ask('rule:list', {})).rules, []);
  });
});
