import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createGate, heldCommand, ledgerLines, processRig, resultText, runs, SessionView, says, stampedTokens, textOf, waitsFor } from '@tendon/testing';

const rig = await processRig();
after(() => rig[Symbol.asyncDispose]());
let server = await rig.start();

/** Each test has a machine of its own: one that has lost its server several times within a minute takes its time to come back (G2). */
const AFTER_RECONNECTING_MS = 45_000;

/** Kills the server without a word, starts it again on the same home and port, and looks at the session as a new client. */
async function crash(before: SessionView): Promise<SessionView> {
  const { signal } = await server.end('SIGKILL');
  assert.equal(signal, 'SIGKILL');
  server = await rig.start();
  const session = await SessionView.attach(await rig.connect(), before.id, 0);
  const known = before.events.map((event) => event.seq);
  assert.deepEqual(session.events.slice(0, known.length), before.events, 'what clients were told is what was stored');
  return session;
}

test('S10: killed in mid-stream, the server comes back with the question once, the text so far as interrupted, and asks the model again', async () => {
  const session = await SessionView.create(await rig.connect());
  const gate = createGate();
  rig.model.script([stampedTokens(120, 20), waitsFor(gate)], says('second try'));
  await session.say('a long story, please');
  // The last one: what comes between a look and the kill could be stored, and not be in what was seen.
  await session.untilDelta('text', '119@');
  const streamed = session.deltas.map((delta) => delta.text).join('');

  const again = await crash(session);
  await again.untilStatus('idle');
  const [question, partial, answer] = again.messages;
  assert.ok(question && partial && answer && again.messages.length === 3);
  assert.deepEqual([textOf(question), textOf(answer), answer.state], ['a long story, please', 'second try', 'complete']);
  assert.equal(partial.state, 'interrupted');
  assert.ok(textOf(partial).length > 100 && streamed.startsWith(textOf(partial)), 'a second of text at most is lost');
  again.assertGapFree();

  rig.model.script(says('still here'));
  await again.say('are you there?');
  await again.untilStatus('idle');
  assert.equal(again.answer, 'still here');
});

test('C5: killed while an approval waits, the server comes back, and the approval can still be given', async () => {
  await using _machine = await rig.startGateway();
  const session = await SessionView.create(await rig.connect());
  rig.model.script([runs('echo ran >> approved-later.txt')], says('It ran.'));
  await session.say('work');
  const call = await session.untilCall('awaiting_approval');

  const again = await crash(session);
  assert.deepEqual([again.session.status, again.calls[0]?.state], ['waiting_for_user', 'awaiting_approval']);
  await again.decide(call, 'approve');
  await again.untilStatus('idle', AFTER_RECONNECTING_MS);
  assert.equal(again.answer, 'It ran.');
  assert.equal(ledgerLines(join(rig.workspace, 'approved-later.txt')), 1);
  again.assertGapFree();
});

test('C7: killed while a command runs, the server comes back, gets its result, and the command ran once', async () => {
  await using _machine = await rig.startGateway();
  const session = await SessionView.create(await rig.connect());
  const held = await heldCommand(rig.workspace);
  rig.model.script([held.step], says('It is done.'));
  await session.say('work');
  const call = await session.untilCall('awaiting_approval');
  await session.decide(call, 'approve');
  await session.untilDelta('tool_output', 'up\n');
  await session.untilCallIs(call.id, 'running');

  const again = await crash(session);
  assert.equal(again.calls[0]?.state, 'running');
  await held.letEnd('survived');
  await again.untilStatus('idle', AFTER_RECONNECTING_MS);
  assert.equal(resultText(again.calls[0] ?? assert.fail('no call')), 'up\nsurvived\n');
  assert.deepEqual([again.answer, held.starts()], ['It is done.', 1]);
  again.assertGapFree();
});

test('O9: told to end while it streams, the server tells its clients, ends with 0 within 10 s, and takes the turn up again at its next start', async () => {
  const session = await SessionView.create(await rig.connect());
  const gate = createGate();
  rig.model.script([...says('begun'), waitsFor(gate)], says('taken up again'));
  const before = rig.model.requests.length;
  await session.say('go');
  await session.untilDelta('text', 'begun');

  const { code } = await server.end('SIGTERM');
  assert.equal(code, 0, server.output());
  await session.socket.ended;
  const notice = session.socket.received.findLast((entry) => entry.name === 'server:notice');
  assert.equal(notice?.name === 'server:notice' && notice.notice.code, 'shutting_down');
  assert.equal(await rig.model.requests[before]?.closed, 'abandoned');

  server = await rig.start();
  const again = await SessionView.attach(await rig.connect(), session.id, 0);
  await again.untilStatus('idle');
  assert.deepEqual(
    again.messages.map((message) => [message.state, textOf(message)]),
    [
      ['complete', 'go'],
      ['interrupted', 'begun'],
      ['complete', 'taken up again'],
    ],
  );
  again.assertGapFree();
  assert.equal((await server.end('SIGTERM')).code, 0);
  assert.doesNotMatch(server.output(), /"level":"(error|fatal)"/);
});
