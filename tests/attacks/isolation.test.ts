import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { AGENT_REQUESTS, type AgentRequestName, type Call, GATEWAY_REQUESTS, type GatewayRequestName, type Session } from '@tendon/protocol';
import { calls, runs, type SessionView, says, until, within } from '@tendon/testing';
import { aFrame } from './a-frame.ts';
import { isolationRig } from './isolation-rig.ts';
import { MachineSocket } from './machine-socket.ts';

/*
 * Somebody else on the same server tries every request of the protocol on another person's things. What is another's and what is nowhere
 * must answer the same, word for word, and change nothing. A request without a row here does not compile, nor does this file pass.
 */

const isolation = await isolationRig();
after(() => isolation[Symbol.asyncDispose]());
const { rig, stranger } = isolation;

/** Ids of things, the victim's or nobody's. */
interface Things {
  readonly sessionId: string;
  readonly messageId: string;
  readonly queuedId: string;
  readonly callId: string;
  readonly questionId: string;
  readonly settledId: string;
  readonly gatewayId: string;
  readonly ruleId: string;
}

type Attempts = (things: Things, own: Session) => readonly object[];

const HASH = 'x'.repeat(43);
const answers = { answers: [{ question: 'q', answer: 'a' }] };

/** Every way to name what is not one's own. An empty row says why there is nothing to name. */
const ON_AGENT: Readonly<Record<AgentRequestName, Attempts>> = {
  'session:create': ({ gatewayId }) => [{ gatewayId }, { gatewayId, workspace: '/' }],
  'session:fork': ({ sessionId, messageId, queuedId }, own) => [
    { sessionId, messageId },
    { sessionId, messageId: queuedId, title: 'mine' },
    { sessionId: own.id, messageId },
  ],
  // Takes no id: that it lists one's own alone is asked below.
  'session:list': () => [],
  'session:attach': ({ sessionId }) => [{ sessionId }, { sessionId, afterSeq: 0 }, { sessionId, afterSeq: 1_000_000 }],
  // Leaving what one never was in is nothing: asked below.
  'session:detach': () => [],
  'session:history': ({ sessionId }) => [
    { sessionId, before: 1_000 },
    { sessionId, before: 0, limit: 1 },
  ],
  'session:update': ({ sessionId, gatewayId }, own) => [
    { sessionId, title: 'mine' },
    { sessionId, archived: true },
    { sessionId, model: 'compatible/scripted' },
    { sessionId: own.id, gatewayId },
    { sessionId: own.id, gatewayId, workspace: '/' },
  ],
  'session:delete': ({ sessionId }) => [{ sessionId }],
  'agent:execute': ({ sessionId }) =>
    (['queue', 'interrupt'] as const).map((mode) => ({ sessionId, messageId: '0192a7c0-0000-7000-8000-0000000000aa', text: 'hello', mode })),
  'agent:stop': ({ sessionId }) => [{ sessionId }],
  'agent:continue': ({ sessionId }) => [{ sessionId }],
  'agent:undo': ({ sessionId, messageId }, own) => [
    { sessionId, messageId },
    { sessionId: own.id, messageId },
  ],
  'message:cancel': ({ sessionId, queuedId }, own) => [
    { sessionId, messageId: queuedId },
    { sessionId: own.id, messageId: queuedId },
  ],
  'tool:decide': ({ sessionId, callId }, own) =>
    (['approve', 'deny'] as const).flatMap((decision) =>
      (['once', 'session', 'always'] as const).flatMap((scope) => [
        { sessionId, callId, inputHash: HASH, decision, scope },
        { sessionId: own.id, callId, inputHash: HASH, decision, scope },
      ]),
    ),
  'tool:result': ({ sessionId, questionId }, own) => [
    { sessionId, callId: questionId, result: answers },
    { sessionId: own.id, callId: questionId, result: answers },
  ],
  'tool:resolve': ({ sessionId, settledId }, own) =>
    (['done', 'failed', 'again'] as const).flatMap((outcome) => [
      { sessionId, callId: settledId, outcome },
      { sessionId: own.id, callId: settledId, outcome },
    ]),
  'browser:watch': ({ sessionId }) => [
    { sessionId, on: true },
    { sessionId, on: false },
  ],
  'gateway:list': () => [],
  'mcp:list': () => [],
  'model:list': () => [],
  'rule:list': () => [],
  'rule:revoke': ({ ruleId }) => [{ ruleId }],
};

const nobodys: Things = {
  ...{ sessionId: randomUUID(), messageId: randomUUID(), queuedId: randomUUID(), callId: randomUUID() },
  ...{ questionId: randomUUID(), settledId: randomUUID(), gatewayId: randomUUID(), ruleId: randomUUID() },
};

/** The victim has one of everything: a call that waits, a question, a call that is over, a queued message, a rule, a machine. */
async function victimsThings(victim: SessionView): Promise<{ theirs: Things; waiting: Call }> {
  rig.model.script([runs('echo allowed >> ran.txt')], says('done'), [
    calls(
      { name: 'bash', input: { command: 'echo owned >> stolen.txt' } },
      { name: 'ask_user_questions', input: { questions: [{ question: 'q', options: [{ label: 'a' }] }] } },
    ),
  ]);
  const { messageId } = await victim.say('a secret of the victim');
  await victim.decide(await victim.untilCall('awaiting_approval'), 'approve', { scope: 'always' });
  await victim.untilStatus('idle');
  await victim.say('and another');
  const waiting = await victim.untilCall('awaiting_approval', 'bash');
  const question = await victim.untilCall('awaiting_answer');
  const queued = await victim.say('later');
  const settled = victim.calls.find(({ state }) => state === 'succeeded');
  const { rules } = await victim.socket.ask('rule:list', {});
  const theirs = {
    ...{ sessionId: victim.id, messageId, queuedId: queued.messageId, callId: waiting.id, questionId: question.id },
    ...{ settledId: settled?.id ?? '', gatewayId: waiting.gatewayId ?? '', ruleId: rules[0]?.id ?? '' },
  };
  return { theirs, waiting };
}

const socket = await rig.connect({ key: stranger.key });
const { session: own } = await socket.ask('session:create', { model: 'compatible/scripted' });
const victim = await rig.open();
const { theirs, waiting } = await victimsThings(victim);

const everythingElse = () => isolation.everythingElse(own.id);

describe('I13: another person asks', () => {
  test('I13: every request of the protocol has a row', () => {
    assert.deepEqual(Object.keys(ON_AGENT).toSorted(), Object.keys(AGENT_REQUESTS).toSorted());
  });

  for (const [name, attempts] of Object.entries(ON_AGENT) as [AgentRequestName, Attempts][]) {
    test(`I13: ${name}: what is another's answers as what is nowhere, and nothing changes`, async () => {
      const before = await everythingElse();
      const pairs = attempts(theirs, own).map((payload, index) => [payload, attempts(nobodys, own)[index]] as const);
      for (const [payload, blind] of pairs) {
        const [answer, unknown] = [await socket.request(name, payload as never), await socket.request(name, blind as never)];
        assert.equal(!answer.ok && answer.error.code, 'not_found', JSON.stringify(payload));
        assert.deepEqual(answer, unknown, 'the words tell whether it is there');
      }
      assert.deepEqual(await everythingElse(), before);
    });
  }

  test('I13: lists hold what is one’s own alone, and leaving is nothing', async () => {
    assert.ok((await socket.request('session:detach', { sessionId: victim.id })).ok);
    assert.deepEqual(
      (await socket.ask('session:list', {})).sessions.map(({ id }) => id),
      [own.id],
    );
    assert.deepEqual(await socket.ask('gateway:list', {}), { gateways: [] });
    assert.deepEqual(await socket.ask('rule:list', {}), { rules: [] });
  });
});

/** A machine of the stranger says it about the victim's call. */
const ON_GATEWAY: Readonly<Record<GatewayRequestName, (callId: string, gatewayId: string, sessionId: string) => readonly object[]>> = {
  'gateway:hello': (callId, gatewayId) => [
    { gatewayId, calls: [] },
    { gatewayId, calls: [{ callId, state: 'running' }] },
  ],
  'gateway:mcp': () => [{ mcpServers: [{ name: 'theirs', state: 'failed', reason: 'a word' }] }],
  'gateway:tools': () => [{ tools: [] }],
  'tool:started': (callId) => [{ callId }],
  'tool:output': (callId) => [
    { callId, offset: 0, text: 'from the stranger' },
    { callId, offset: 1_000_000, text: 'from the stranger' },
  ],
  'tool:result': (callId) => [
    { callId, result: { status: 'succeeded', content: [{ type: 'text', text: 'from the stranger' }] } },
    { callId, result: { status: 'unknown', content: [] } },
  ],
  'browser:frame': (_callId, _gatewayId, sessionId) => [{ ...aFrame, sessionId, title: 'from the stranger' }],
  'browser:state': (_callId, _gatewayId, sessionId) => [{ sessionId, at: aFrame.at, state: 'refused' }],
};

describe('I13: a machine of another person speaks', () => {
  test('I13: every request of a machine has a row', () => {
    assert.deepEqual(Object.keys(ON_GATEWAY).toSorted(), Object.keys(GATEWAY_REQUESTS).toSorted());
  });

  test('I13: a machine that greets under the id of another’s is refused', async () => {
    await using machine = await MachineSocket.connect({ url: rig.url, key: stranger.key });
    for (const payload of ON_GATEWAY['gateway:hello'](theirs.callId, theirs.gatewayId, theirs.sessionId)) {
      const answer = await machine.hello(payload);
      assert.equal(!answer.ok && answer.error.code, 'not_found', JSON.stringify(payload));
    }
    assert.equal((await victim.socket.ask('gateway:list', {})).gateways[0]?.online, true);
  });

  test('I13, R25: a second hello on one connection, with another id, is refused and writes nothing, also while the first is looked at', async () => {
    const machinesThen = await rig.sql<{ id: string }>('select id from gateways');
    await using machine = await MachineSocket.connect({ url: rig.url, key: stranger.key });
    const ids = Array.from({ length: 30 }, () => randomUUID());
    const answers = await Promise.all(ids.map((gatewayId) => machine.hello({ gatewayId })));
    for (const gatewayId of [randomUUID(), theirs.gatewayId]) answers.push(await machine.hello({ gatewayId }));
    assert.deepEqual(Object.groupBy(answers, (answer) => (answer.ok ? 'ok' : answer.error.code)).conflict?.length, 31);
    assert.ok((await machine.hello({ gatewayId: ids[0] })).ok, 'it may greet again as the machine that it is');
    const written = await rig.sql<{ id: string }>('select id from gateways where id <> all ($1)', [machinesThen.map(({ id }) => id)]);
    assert.deepEqual(
      written.map(({ id }) => id),
      [ids[0]],
    );
    await rig.sql('delete from gateways where id = $1', [ids[0]]);
  });

  for (const state of ['running', 'finished', 'unknown', 'absent'] as const) {
    test(`I4, I13: a journal that claims another’s running call as ${state} moves nothing, and no word of its machine is heard`, async () => {
      const session = await rig.open();
      rig.model.script([runs('echo begun; sleep 600')]);
      await session.say('work');
      await session.decide(await session.untilCall('awaiting_approval'), 'approve');
      const { id: callId } = await session.untilCall('running');
      await session.untilDelta('tool_output', 'begun');
      const events = session.events.length;
      await using machine = await MachineSocket.connect({ url: rig.url, key: stranger.key });
      const result = { status: 'succeeded', content: [{ type: 'text', text: 'from the stranger' }] };
      const claimed = state === 'absent' ? [] : [{ callId, state, ...(state === 'finished' ? { result } : {}) }];
      assert.ok((await machine.hello({ gatewayId: randomUUID(), calls: claimed })).ok);
      await session.socket.ask('browser:watch', { sessionId: session.id, on: true });
      for (const name of ['tool:started', 'tool:output', 'tool:result', 'browser:frame', 'browser:state'] as const)
        for (const payload of ON_GATEWAY[name](callId, theirs.gatewayId, session.id)) await machine.request(name, payload);
      await session.socket.ask('session:list', {});
      assert.equal(session.events.length, events, 'an event was written');
      assert.ok(!JSON.stringify(session.socket.received).includes('from the stranger'), 'output of a stranger is shown');
      assert.ok(!JSON.stringify(session.socket.received).includes('"refused"'), 'a stranger speaks for the machine');
      await session.socket.ask('browser:watch', { sessionId: session.id, on: false });
      assert.equal(session.calls.find(({ id }) => id === callId)?.state, 'running');
      await session.socket.ask('agent:stop', { sessionId: session.id });
      await session.untilStatus('idle');
    });
  }
});

test('I13: through all of it the stranger has heard no word of the victim', async () => {
  await victim.decide(waiting, 'deny');
  const heard = JSON.stringify(socket.received);
  for (const secret of ['secret of the victim', ...Object.values(theirs)]) assert.ok(!heard.includes(secret), `heard ${secret}`);
  const foreign = socket.received.filter(
    (entry) => entry.name !== 'gateway:presence' && !(entry.name === 'session:summary' && entry.notice.session.id === own.id),
  );
  assert.deepEqual(foreign, []);
});

test('I14: a key that is deleted behind the server’s back loses its connections, and opens nothing', async () => {
  const { userId, key } = await rig.addUser();
  const one = await rig.connect({ key });
  await using machine = await MachineSocket.connect({ url: rig.url, key });
  await rig.sql('delete from api_keys where user_id = $1', [userId]);
  // How soon it is found out is a matter of the schedule, which ended-credentials.test.ts asserts; these are only deadlines.
  await within('the connection to end', one.ended);
  await until({ what: 'the machine’s connection to end', pollMs: 20, check: () => !machine.isConnected || undefined });
  await assert.rejects(rig.connect({ key }));
});
