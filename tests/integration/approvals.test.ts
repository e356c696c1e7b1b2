import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { DIALECTS, heldCommand, ledgerLines, nodeRig, resultText, runs, SessionView, says } from '@tendon/testing';

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());

const lastRequest = (): string => JSON.stringify(rig.model.requests.at(-1)?.messages);

for (const dialect of DIALECTS) {
  describe(`a command, asked for by a model that speaks ${dialect.name}`, () => {
    test('C3: it waits for its approval, runs on the machine with live output, and the model gets the result', async () => {
      const session = await rig.open({ model: dialect.model });
      const held = await heldCommand(rig.workspace);
      rig.model.script([...says('I will look.'), held.step], says('All is well.'));
      await session.say('check it');
      const waiting = await session.untilCall('awaiting_approval');
      await session.untilStatus('waiting_for_user');
      assert.deepEqual([waiting.tool, waiting.input, waiting.workspace], ['bash', { command: held.command }, rig.workspace]);
      assert.deepEqual([session.session.waiting.approvals, held.starts()], [1, 0]);

      await session.decide(waiting, 'approve');
      await session.untilDelta('tool_output', 'up\n');
      await session.untilCallIs(waiting.id, 'running');
      await held.letEnd('42 files');
      await session.untilStatus('idle');

      const over = await session.untilCallIs(waiting.id, 'succeeded');
      assert.equal(resultText(over), 'up\n42 files\n');
      assert.equal(session.streamed(waiting.id, 0), 'up\n42 files\n', 'the live output is the whole output');
      assert.equal(over.result?.meta?.exitCode, 0);
      assert.equal(session.answer, 'All is well.');
      assert.match(lastRequest(), /42 files/);
      assert.equal(held.starts(), 1);
      session.assertGapFree();
    });

    test('C10: a denied command never starts, and the model is told the reason', async () => {
      const session = await rig.open({ model: dialect.model });
      rig.model.script([runs('echo ran > denied.txt')], says('Then I will not.'));
      await session.say('do it');
      const call = await session.untilCall('awaiting_approval');
      const answer = await session.decide(call, 'deny', { reason: 'not on a Friday' });
      assert.equal(answer.state, 'denied');
      await session.untilStatus('idle');
      assert.match(lastRequest(), /not on a Friday/);
      assert.equal(session.answer, 'Then I will not.');
      assert.equal(existsSync(join(rig.workspace, 'denied.txt')), false);
    });
  });
}

test('C9: a decision on another hash is a conflict, and nothing starts', async () => {
  const session = await rig.open();
  rig.model.script([runs('echo ran > hash.txt')], says('no'));
  await session.say('do it');
  const call = await session.untilCall('awaiting_approval');
  const answer = await session.socket.request('tool:decide', {
    sessionId: session.id,
    callId: call.id,
    inputHash: `${call.inputHash.slice(0, -2)}xx`,
    decision: 'approve',
  });
  assert.equal(!answer.ok && answer.error.code, 'conflict');
  assert.equal((await session.socket.ask('session:attach', { sessionId: session.id })).calls[0]?.state, 'awaiting_approval');
  await session.decide(call, 'deny');
  await session.untilStatus('idle');
  assert.equal(existsSync(join(rig.workspace, 'hash.txt')), false);
});

test('C5: of two devices the first decides, its repeat is acknowledged and its contrary a conflict', async () => {
  const session = await rig.open();
  const other = await SessionView.attach(await rig.connect({ name: 'phone' }), session.id, 0);
  rig.model.script([runs('echo ran >> twice.txt')], says('ran'));
  await session.say('do it');
  const call = await other.untilCall('awaiting_approval');
  await other.decide(call, 'approve');
  const [repeat, contrary] = await Promise.all([
    session.decide(call, 'approve'),
    session.socket.request('tool:decide', { sessionId: session.id, callId: call.id, inputHash: call.inputHash, decision: 'deny' }),
  ]);
  assert.notEqual(repeat.state, 'denied');
  assert.equal(!contrary.ok && contrary.error.code, 'conflict');
  await session.untilStatus('idle');
  const over = await session.untilCallIs(call.id, 'succeeded');
  assert.equal(over.decision?.via, 'phone');
  assert.equal(ledgerLines(join(rig.workspace, 'twice.txt')), 1);
});

describe('stored permissions', () => {
  test('C4: "session" lets the same command run there without asking; another command, and another session, ask', async () => {
    const session = await rig.open();
    const command = 'echo ran >> session-rule.txt';
    rig.model.script([runs(command)], [runs(command)], [runs(`${command} `)], says('done'));
    await session.say('three times');
    await session.decide(await session.untilCall('awaiting_approval'), 'approve', { scope: 'session' });
    const different = await session.untilCall('awaiting_approval');
    assert.deepEqual(different.input, { command: `${command} ` });
    assert.equal(ledgerLines(join(rig.workspace, 'session-rule.txt')), 2, 'the second one ran without asking');
    await session.decide(different, 'deny');
    await session.untilStatus('idle');

    const elsewhere = await rig.open();
    rig.model.script([runs(command)], says('asked'));
    await elsewhere.say('here too');
    await elsewhere.decide(await elsewhere.untilCall('awaiting_approval'), 'deny');
    await elsewhere.untilStatus('idle');
  });

  test('C4: "always" holds in every session, is listed, and ends when it is revoked', async () => {
    const command = 'echo ran >> always-rule.txt';
    const ask = async (): Promise<SessionView> => {
      const session = await rig.open();
      rig.model.script([runs(command)], says('done'));
      await session.say('do it');
      return session;
    };
    const first = await ask();
    await first.decide(await first.untilCall('awaiting_approval'), 'approve', { scope: 'always' });
    await first.untilStatus('idle');

    const second = await ask();
    await second.untilStatus('idle');
    assert.equal(ledgerLines(join(rig.workspace, 'always-rule.txt')), 2);
    assert.equal((await second.untilCall('succeeded')).decision?.by, 'policy');

    const { rules } = await first.socket.ask('rule:list', {});
    const rule = rules.find((candidate) => candidate.subject === command);
    assert.ok(rule);
    assert.deepEqual([rule.tool, rule.workspace, rule.sessionId], ['bash', rig.workspace, undefined]);
    await first.socket.ask('rule:revoke', { ruleId: rule.id });
    const again = await first.socket.request('rule:revoke', { ruleId: rule.id });
    assert.equal(!again.ok && again.error.code, 'not_found');

    const third = await ask();
    await third.decide(await third.untilCall('awaiting_approval'), 'deny');
    await third.untilStatus('idle');
    assert.equal(ledgerLines(join(rig.workspace, 'always-rule.txt')), 2);
  });
});
