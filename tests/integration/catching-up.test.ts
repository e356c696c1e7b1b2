import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createGate, DIALECTS, heldCommand, nodeRig, SessionView, says, textOf, thinks, waitsFor } from '@tendon/testing';

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());

test('S8: a client that was away gets exactly the events it missed', async () => {
  const watcher = await rig.open();
  const away = await SessionView.attach(await rig.connect(), watcher.id, 0);
  rig.model.script(says('one'), says('two'), says('three'));
  await watcher.say('1');
  const { seq } = await watcher.untilStatus('idle');
  await away.untilSeq(seq);
  away.socket.close();
  await watcher.say('2');
  await watcher.untilStatus('idle');

  const back = await SessionView.attach(await rig.connect(), watcher.id, seq);
  assert.deepEqual([back.attached.messages, back.attached.calls], [[], []], 'events, and no page');
  assert.deepEqual(
    back.attached.events,
    watcher.events.filter((event) => event.seq > seq),
  );
  await watcher.say('3');
  const last = await watcher.untilStatus('idle');
  await back.untilSeq(last.seq);
  assert.deepEqual([...away.events, ...back.events], watcher.events);
  back.assertGapFree(seq + 1);
});

test('S8: a client that has seen everything gets nothing; one that claims more than there is gets a fresh page', async () => {
  const watcher = await rig.open();
  rig.model.script(says('one'));
  await watcher.say('1');
  const { seq } = await watcher.untilStatus('idle');
  const current = await SessionView.attach(await rig.connect(), watcher.id, seq);
  assert.deepEqual(current.attached.events, []);
  const strange = await SessionView.attach(await rig.connect(), watcher.id, seq + 100);
  assert.equal(strange.attached.events, undefined);
  assert.deepEqual(
    strange.attached.messages.map((message) => textOf(message)),
    ['1', 'one'],
  );
});

test('D25: a client whose missed events are no longer kept gets a page, and goes on from there', async () => {
  const watcher = await rig.open();
  rig.model.script(says('one'), says('two'));
  await watcher.say('1');
  const { seq } = await watcher.untilStatus('idle');
  await rig.sql('delete from session_events where session_id = $1 and seq < $2', [watcher.id, seq]);
  const late = await SessionView.attach(await rig.connect(), watcher.id, 1);
  assert.equal(late.attached.events, undefined);
  assert.deepEqual(
    late.attached.messages.map((message) => textOf(message)),
    ['1', 'one'],
  );
  await watcher.say('2');
  await late.untilSeq((await watcher.untilStatus('idle')).seq);
  late.assertGapFree(seq + 1);
});

for (const dialect of DIALECTS) {
  describe(`in the middle of an answer of a model that speaks ${dialect.name}`, () => {
    test('R3: a client gets the text so far, and the deltas continue exactly there', async () => {
      const first = await rig.open({ model: dialect.model });
      const gates = [createGate(), createGate()] as const;
      rig.model.script([...thinks('hm, '), ...says('so far 👋'), waitsFor(gates[0]), ...says(' and on'), waitsFor(gates[1]), ...says(' to the end')]);
      await first.say('go');
      await first.untilDelta('text', 'so far 👋');
      const second = await SessionView.attach(await rig.connect(), first.id);
      const { live } = second.attached;
      assert.deepEqual(live?.message.parts, [
        { type: 'reasoning', text: 'hm, ' },
        { type: 'text', text: 'so far 👋' },
      ]);
      assert.deepEqual(live.offsets, [4, 9], 'UTF-16 units');
      gates[0].open();
      await second.untilDelta('text', ' and on');
      const third = await SessionView.attach(await rig.connect(), first.id, 0);
      const caught = third.attached.live?.message.parts[1];
      assert.deepEqual(caught, { type: 'text', text: 'so far 👋 and on' });
      gates[1].open();
      await first.untilStatus('idle');
      const seq = first.session.seq;
      await Promise.all([second.untilSeq(seq), third.untilSeq(seq)]);
      const whole = 'so far 👋 and on to the end';
      assert.equal(first.answer, whole);
      assert.equal(`so far 👋${second.streamed(live.message.id, 1, 9)}`, whole);
      assert.equal(`so far 👋 and on${third.streamed(live.message.id, 1, 16)}`, whole);
      assert.equal(second.attached.session.status, 'running');
      assert.equal((await SessionView.attach(await rig.connect(), first.id)).attached.live, undefined);
    });
  });
}

test('R5: a client that attaches while a command runs gets its output so far, and the deltas continue there', async () => {
  const first = await rig.open();
  const held = await heldCommand(rig.workspace);
  rig.model.script([held.step], says('ok'));
  await first.say('work');
  const call = await first.untilCall('awaiting_approval');
  await first.decide(call, 'approve');
  await first.untilDelta('tool_output', 'up\n');
  const second = await SessionView.attach(await rig.connect(), first.id);
  assert.deepEqual(second.attached.outputs, [{ callId: call.id, offset: 0, text: 'up\n' }]);
  await held.letEnd('later');
  await first.untilStatus('idle');
  await second.untilSeq(first.session.seq);
  assert.equal(second.streamed(call.id, 0, 3), 'later\n');
  const third = await SessionView.attach(await rig.connect(), first.id);
  assert.equal(third.attached.outputs, undefined);
});

test('R3: twelve clients that attach while 2,000 tokens stream all put the same text together', async () => {
  const first = await rig.open();
  const gate = createGate();
  const tokens = { do: 'tokens', count: 1_000, everyMs: 0, text: (index: number) => `word${index} ` } as const;
  rig.model.script([tokens, waitsFor(gate), tokens]);
  const sockets = await Promise.all(Array.from({ length: 12 }, () => rig.connect()));
  await first.say('quickly');
  await first.untilDelta('text', 'word0 ');
  const attaching = sockets.map((socket) => SessionView.attach(socket, first.id));
  const [early] = await Promise.all([attaching[0], gate.reached]);
  gate.open();
  const views = await Promise.all(attaching);
  await first.untilStatus('idle');
  const { answer } = first;
  assert.equal(answer.split(' ').length, 2_001);
  assert.ok(early?.attached.live, 'at least one came in the middle');
  for (const view of views) {
    const { live, seq } = view.attached;
    if (seq < first.session.seq) await view.untilSeq(first.session.seq);
    const part = live?.message.parts[0];
    const soFar = part?.type === 'text' ? part.text : '';
    if (live) assert.equal(soFar + view.streamed(live.message.id, 0, soFar.length), answer);
    else assert.equal(view.answer, answer);
  }
});
