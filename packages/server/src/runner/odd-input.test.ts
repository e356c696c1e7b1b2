import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GatewayAnswer, type SessionEvent, sessionEventSchema } from '@tendon/protocol';
import { within } from '@tendon/testing';
import { v7 } from 'uuid';
import { answers, asksFor, FakeMachine, hangs, hello, runnerRig } from './runner-rig.ts';
import { timeoutOf } from './time-limit.ts';

test('R8: history before a number that no event can have is the newest page', async () => {
  await using rig = await runnerRig();
  const sessionId = await rig.newSession();
  await rig.execute(sessionId, 'hello');
  await rig.until(() => rig.heard.some(({ notice }) => (notice as SessionEvent).type === 'message.completed'));
  const page = await rig.runner.agent['session:history'](rig.person, { sessionId, before: Number.MAX_SAFE_INTEGER });
  assert.equal(page.ok && page.data.messages.length, 2);
});

for (const timeoutMs of [-1, 0.5, 1e300, 'soon']) {
  test(`C1: a tool's own idea of timeoutMs (${timeoutMs}) does not reach the machine as a time limit that it must refuse`, async () => {
    await using rig = await runnerRig();
    rig.steps.push(asksFor('other_tool', { timeoutMs }), hangs);
    const machine = new FakeMachine(rig.person.userId);
    const greeting = hello(v7(), v7());
    const tools = [{ name: 'other_tool', description: 'x', inputSchema: { type: 'object' }, effect: 'execute' as const, source: 'mcp' }];
    await rig.runner.gateways.handlers['gateway:hello'](machine, { ...greeting, tools });
    const sessionId = await rig.newSession();
    await rig.execute(sessionId, 'hello');
    const isRequest = (notice: unknown): notice is Extract<SessionEvent, { type: 'call.requested' }> => (notice as SessionEvent).type === 'call.requested';
    await rig.until(() => rig.heard.some(({ notice }) => isRequest(notice)));
    const call = rig.heard.map(({ notice }) => notice).find(isRequest)?.data.call;
    assert.ok(call);
    await rig.runner.agent['tool:decide'](rig.person, { sessionId, callId: call.id, inputHash: call.inputHash, decision: 'approve' });
    await within('the dispatch', machine.firstSent);
    assert.equal(machine.sent[0]?.timeoutMs, timeoutMs === 1e300 ? 3_600_000 : 120_000);
  });
}

test('G43: to a command in the background no time limit is sent but the common one', () => {
  assert.equal(timeoutOf({ command: 'x', background: true, timeoutMs: 100 }), 120_000);
  assert.equal(timeoutOf({ command: 'x', background: false, timeoutMs: 100 }), 100);
});

test('D19: a session that moves to another machine gets a folder that is there', async () => {
  await using rig = await runnerRig();
  rig.steps.push(answers('done'));
  const machines = ['/one', '/two'].map((path) => ({ ...hello(v7(), v7()), workspaces: [{ path, name: path }] }));
  for (const greeting of machines) await rig.runner.gateways.handlers['gateway:hello'](new FakeMachine(rig.person.userId), greeting);
  const [one, two] = machines.map((greeting) => greeting.gatewayId);
  const made = await rig.runner.agent['session:create'](rig.person, { gatewayId: one });
  assert.ok(made.ok);
  assert.equal(made.data.session.workspace, '/one');
  const moved = await rig.runner.agent['session:update'](rig.person, { sessionId: made.data.session.id, gatewayId: two });
  assert.equal(moved.ok && moved.data.session.workspace, '/two');
});

test("T17: a machine's refusal with endless words becomes a result that every client can read", async () => {
  await using rig = await runnerRig();
  rig.steps.push(asksFor('read_file', { path: 'a.txt' }), answers('done'));
  class Talkative extends FakeMachine {
    override async call(): Promise<GatewayAnswer<'tool:call'>> {
      return { accepted: false, error: { code: 'c'.repeat(500), message: 'm'.repeat(100_000) } };
    }
  }
  await rig.runner.gateways.handlers['gateway:hello'](new Talkative(rig.person.userId), hello(v7(), v7()));
  await rig.execute(await rig.newSession(), 'hello');
  const isDone = ({ notice }: { notice: unknown }): boolean => (notice as SessionEvent).type === 'message.completed' && JSON.stringify(notice).includes('done');
  await rig.until(() => rig.heard.some(isDone));
  for (const { name, notice } of rig.heard)
    if (name === 'session:event') assert.ok(sessionEventSchema.safeParse(notice).success, JSON.stringify(notice).slice(0, 300));
});
