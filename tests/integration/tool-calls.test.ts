import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Call } from '@tendon/protocol';
import { calls, DIALECTS, ledgerLines, nodeRig, resultText, runs, type SessionView, says } from '@tendon/testing';

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());

const lastRequest = (): string => JSON.stringify(rig.model.requests.at(-1)?.messages);

/** Runs one turn in which the model makes these calls, approving what waits, and answers with the calls as they ended. */
async function turnWith(model: string, step: ReturnType<typeof calls>): Promise<{ session: SessionView; over: Call[] }> {
  const session = await rig.open({ model });
  rig.model.script([step], says('I see.'));
  await session.say('go');
  await session.socket.until('the calls', () => session.calls.length > 0);
  for (const call of session.calls.filter((candidate) => candidate.state === 'awaiting_approval')) await session.decide(call, 'approve');
  await session.untilStatus('idle');
  assert.equal(session.answer, 'I see.');
  session.assertGapFree();
  return { session, over: session.calls };
}

for (const dialect of DIALECTS) {
  describe(`calls of a model that speaks ${dialect.name}`, () => {
    test('C10: parallel calls are decided in any order; the model is asked again when the last one is over', async () => {
      const session = await rig.open({ model: dialect.model });
      const before = rig.model.requests.length;
      const ledger = `parallel-${dialect.name}.txt`;
      rig.model.script(
        [calls(...['a', 'b', 'c'].map((name) => ({ name: 'bash', input: { command: `echo ${name} >> ${ledger}; echo out-${name}` } })))],
        says('All three.'),
      );
      await session.say('three at once');
      await session.socket.until('three calls', () => session.calls.length === 3);
      const [a, b, c] = session.calls;
      assert.ok(a && b && c);
      await session.decide(c, 'approve');
      await session.untilCallIs(c.id, 'succeeded');
      await session.decide(b, 'deny', { reason: 'not b' });
      assert.equal(rig.model.requests.length, before + 1, 'two are over, one waits');
      assert.equal(session.session.status, 'waiting_for_user');
      await session.decide(a, 'approve');
      await session.untilStatus('idle');
      assert.equal(await readFile(join(rig.workspace, ledger), 'utf8'), 'c\na\n');
      assert.equal(rig.model.requests.length, before + 2);
      assert.match(lastRequest(), /out-a.*not b.*out-c/s, 'the results stand in the order of the calls');
      session.assertGapFree();
    });

    test('C2: an unknown tool and an input that is no JSON never run, and the model is told why', async () => {
      const { over } = await turnWith(
        dialect.model,
        calls(
          { name: 'format_disk', input: { disk: 'c' } },
          { name: 'bash', input: '{"command": "echo x > bad.txt' },
          { name: 'bash', input: { cmd: 'echo x > bad.txt' } },
        ),
      );
      assert.deepEqual(
        over.map((call) => [call.state, call.result?.error?.code]),
        [
          ['failed', 'unknown_tool'],
          ['failed', 'invalid_input'],
          ['failed', 'invalid_input'],
        ],
      );
      assert.match(lastRequest(), /format_disk/);
      assert.match(lastRequest(), /not valid JSON/);
      assert.equal(ledgerLines(join(rig.workspace, 'bad.txt')), 0);
    });

    test('P11: a command that fails tells its exit code and output to person and model', async () => {
      const { over } = await turnWith(dialect.model, runs('echo oh no >&2; exit 3'));
      assert.deepEqual([over[0]?.state, over[0]?.result?.meta?.exitCode], ['failed', 3]);
      assert.match(over[0] ? resultText(over[0]) : '', /oh no/);
      assert.match(lastRequest(), /oh no/);
    });

    test('C3: reading runs without asking, and its text reaches the model', async () => {
      await writeFile(join(rig.workspace, 'poem.txt'), 'roses are red\n');
      const { over } = await turnWith(
        dialect.model,
        calls({ name: 'read_file', input: { path: 'poem.txt' } }, { name: 'grep', input: { pattern: 'roses' } }, { name: 'glob', input: { pattern: '*.txt' } }),
      );
      assert.deepEqual(
        over.map((call) => call.state),
        ['succeeded', 'succeeded', 'succeeded'],
      );
      assert.match(lastRequest(), /roses are red/);
    });
  });
}

test('G24: an edit whose text is not there says so and changes nothing; one that fits is written with its diff', async () => {
  const path = join(rig.workspace, 'note.txt');
  await writeFile(path, 'one\ntwo\n');
  const wrong = await turnWith(DIALECTS[0].model, calls({ name: 'edit_file', input: { path: 'note.txt', oldText: 'three', newText: '3' } }));
  assert.equal(wrong.over[0]?.state, 'failed');
  assert.equal(await readFile(path, 'utf8'), 'one\ntwo\n');
  const right = await turnWith(DIALECTS[0].model, calls({ name: 'edit_file', input: { path: 'note.txt', oldText: 'two', newText: '2' } }));
  assert.equal(await readFile(path, 'utf8'), 'one\n2\n');
  assert.match(right.over[0]?.result?.meta?.diff ?? '', /-two\n\+2/);
});

test('G20: a path that leaves the workspace is refused by name, also after an approval', async () => {
  const { over } = await turnWith(
    DIALECTS[0].model,
    calls({ name: 'write_file', input: { path: '../outside.txt', content: 'x' } }, { name: 'read_file', input: { path: '/etc/passwd' } }),
  );
  assert.deepEqual(
    over.map((call) => call.state),
    ['failed', 'failed'],
  );
  assert.doesNotMatch(lastRequest(), /root:/);
});

test('R7: a tool of the server runs at once, and the machine hears nothing of it', async () => {
  const { over } = await turnWith(DIALECTS[0].model, calls({ name: 'update_plan', input: { steps: [{ title: 'look', status: 'done' }] } }));
  assert.deepEqual([over[0]?.kind, over[0]?.state], ['remote', 'succeeded']);
});

test('C2: without a machine a local tool is unknown, and the model is told that none is connected', async () => {
  await using alone = await nodeRig({ hasGateway: false });
  const session = await alone.open();
  alone.model.script([runs('ls')], says('no machine'));
  await session.say('look');
  await session.untilStatus('idle');
  assert.equal(session.calls[0]?.result?.error?.code, 'unknown_tool');
  assert.match(JSON.stringify(alone.model.requests.at(-1)?.messages), /No machine is connected/);
});

test('M25: a picture that the provider refuses does not break the session', async () => {
  const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
  await writeFile(join(rig.workspace, 'shot.png'), Buffer.from(png, 'base64'));
  const session = await rig.open({ model: 'anthropic/claude-scripted' });
  const before = rig.model.requests.length;
  rig.model.script([calls({ name: 'read_file', input: { path: 'shot.png' } })], { status: 400, message: 'Could not process image' }, says('I see no picture.'));
  await session.say('look at it');
  await session.socket.until('the answer', () => session.answer === 'I see no picture.');
  await session.untilStatus('idle');
  rig.model.script(says('Gladly.'));
  await session.say('go on');
  await session.socket.until('the next answer', () => session.answer === 'Gladly.');
  assert.deepEqual(
    rig.model.requests.slice(before).map(({ body }) => JSON.stringify(body).includes(png)),
    [false, true, false, false],
  );
  assert.deepEqual(session.failures, []);
  session.assertGapFree();
});
