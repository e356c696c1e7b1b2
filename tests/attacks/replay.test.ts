import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { AgentClient } from '@tendon/client';
import { startGateway } from '@tendon/gateway';
import type { Call, CallState } from '@tendon/protocol';
import { createLog } from '@tendon/server';
import { calls, createGate, nodeRig, runs, says, textOf, until, waitsFor } from '@tendon/testing';
import { allRows } from './isolation-rig.ts';
import { type Captured, Wire } from './wire.ts';

/*
 * A person's client and their machine, both the real ones, and a wire to each on which every frame of a run comes twice; when the run is over, all
 * of them come once more, on other connections, in their order and backwards. Nothing of it counts.
 */

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());
const [personWire, machineWire] = [await Wire.start(rig.server.port), await Wire.start(rig.server.port)];
after(() => Promise.all([personWire, machineWire].map((wire) => wire[Symbol.asyncDispose]())));
/**
 * A new session has no name before it is made: each time it is another one. Of two hellos on one connection at once the later one counts and the
 * other one ends the connection (R11); one after the other they come below.
 */
const isOnce = ({ name }: Captured): boolean => name === 'session:create' || name === 'gateway:hello';
for (const wire of [personWire, machineWire]) wire.doubles = (captured) => !isOnce(captured);

const place = { serverUrl: machineWire.url, token: rig.key, home: rig.home, name: 'a machine', workspaces: [rig.workspace] };
const gateway = await startGateway({ ...place, log: createLog({ level: 'error', pretty: false }), version: '0', random: () => 0.01 });
after(() => gateway.close());
await gateway.ready();
const client = new AgentClient({ url: personWire.url, token: rig.key, client: { name: 'a page', version: '1' }, random: () => 0.01 });
after(() => client.close());

interface Watched<T> {
  get(): T;
  subscribe(listener: () => void): () => void;
}

function come<Value, T>(what: string, { get, subscribe }: Watched<Value>, check: (value: Value) => T | undefined | false): Promise<T> {
  return until({ what, check: () => check(get()), on: subscribe, deadlineMs: 20_000 });
}

const LINKS: readonly (readonly [Wire, Watched<{ readonly kind: string }>])[] = [
  [personWire, client.connection],
  [machineWire, { get: () => gateway.state, subscribe: (listener) => gateway.subscribe(listener) }],
];
await come('the client to be online', client.connection, ({ kind }) => kind === 'online');
const created = await client.request('session:create', { gatewayId: gateway.gatewayId, workspace: rig.workspace });
assert.ok(created.ok);
const session = client.open(created.data.session.id);
const { view } = session;
const ledger = (): string[] => readFileSync(join(rig.workspace, 'ledger'), 'utf8').trim().split('\n');
const texts = (): string[] => view.get().messages.flatMap((message) => textOf(message) || []);

const untilCall = (state: CallState): Promise<Call> => come(state, view, (now) => Object.values(now.calls).find((call) => call.state === state));
const untilSaid = (text: string): Promise<true> =>
  come(text, view, ({ messages, session: now }) => now?.status === 'idle' && messages.some((message) => textOf(message) === text));

async function ask(text: string, command: string, decision?: Parameters<typeof session.decide>[1]): Promise<void> {
  rig.model.script([runs(command)], says(`${text}: done`));
  session.send(text);
  if (decision) await session.decide(await untilCall('awaiting_approval'), decision);
  await untilSaid(`${text}: done`);
}

async function playRun(): Promise<void> {
  await ask('approved', 'echo once >> ledger', { decision: 'approve' });
  await ask('approved for good', 'echo always >> ledger', { decision: 'approve', scope: 'always' });
  await ask('by its rule', 'echo always >> ledger');
  await ask('denied', 'echo never >> ledger', { decision: 'deny' });
  rig.model.script(
    [calls({ name: 'ask_user_questions', input: { questions: [{ question: 'Which?', options: [{ label: 'red' }, { label: 'blue' }] }] } })],
    says('blue it is'),
  );
  session.send('a question');
  await session.answer(await untilCall('awaiting_answer'), { answers: [{ question: 'Which?', answer: 'blue' }] });
  await untilSaid('blue it is');
  const gate = createGate();
  rig.model.script([...says('half'), waitsFor(gate)]);
  session.send('stopped');
  await gate.reached;
  await come('what has come of the answer', view, ({ live }) => live && textOf(live) === 'half');
  const taken = session.send('taken back');
  await come('the queue', view, ({ messages }) => messages.some(({ id }) => id === taken));
  await session.cancelMessage(taken);
  await session.stop();
  gate.open();
  await come('the stop', view, ({ session: now }) => now?.status === 'idle');
  const rules = await client.request('rule:list', {});
  assert.equal(rules.ok && rules.data.rules.length, 1);
  for (const { id } of rules.ok ? rules.data.rules : []) await client.request('rule:revoke', { ruleId: id });
  await client.request('session:update', { sessionId: session.id, title: 'A run' });
  await come('its title', view, ({ session: now }) => now?.title === 'A run');
}

const SAID = [
  ...['approved', 'approved: done', 'approved for good', 'approved for good: done', 'by its rule', 'by its rule: done', 'denied', 'denied: done'],
  ...['a question', 'blue it is', 'stopped', 'half'],
];
const RUN = ['once', 'always', 'always'];
const EVENTS = {
  machine: ['tool:call', 'tool:result', 'tool:started'],
  person: [
    ...['agent:execute', 'agent:stop', 'message:cancel', 'rule:list', 'rule:revoke', 'session:attach', 'session:delta', 'session:event', 'session:list'],
    ...['session:summary', 'session:update', 'tool:decide', 'tool:result'],
  ],
};

const namesOn = (wire: Wire): Set<string> => new Set(wire.captured.map(({ name }) => name));

/** As it is, wherever one looks. */
async function everything(): Promise<unknown> {
  // Answered behind all that was told before.
  const rules = await client.request('rule:list', {});
  // Every connection of a machine has a number of its own.
  const rows = (await allRows(rig)).map(({ greeting: _, ...row }) => row);
  return { rules, view: view.get(), rows, ledger: ledger(), asked: rig.model.requests.length };
}

describe('frames of a run', () => {
  test('S3, C5, C6, G12, K7, K10: that come twice count once', async () => {
    await playRun();
    assert.deepEqual([texts(), ledger(), rig.model.requests.length], [SAID, RUN, 11]);
    assert.deepEqual(
      Object.values(view.get().calls).map(({ state }) => state),
      ['succeeded', 'succeeded', 'succeeded', 'denied', 'succeeded'],
    );
    for (const name of EVENTS.machine) assert.ok(namesOn(machineWire).has(name), `${name} was not on the wire`);
    for (const name of EVENTS.person) assert.ok(namesOn(personWire).has(name), `${name} was not on the wire`);
  });

  for (const order of ['in their order', 'backwards'] as const) {
    test(`S3, S12, C5, C6, G12, K7: that come again when it is over, on other connections, ${order}, change nothing`, async () => {
      for (const wire of [personWire, machineWire]) wire.doubles = () => false;
      const before = await everything();
      for (const [wire, link] of LINKS) {
        const events = wire.captured.filter(({ name }) => name !== '' && name !== 'session:create');
        wire.cut();
        await come('the end of its connection', link, ({ kind }) => kind !== 'online');
        await come('another connection', link, ({ kind }) => kind === 'online');
        await wire.replay(order === 'backwards' ? events.toReversed() : events);
      }
      assert.deepEqual(await everything(), before);
    });
  }

  test('I16: after all of it a command runs, once', async () => {
    await ask('at last', 'echo last >> ledger', { decision: 'approve' });
    assert.deepEqual(
      [texts(), ledger()],
      [
        [...SAID, 'at last', 'at last: done'],
        [...RUN, 'last'],
      ],
    );
  });
});
