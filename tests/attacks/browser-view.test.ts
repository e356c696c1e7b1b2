import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { LIMITS } from '@tendon/protocol';
import { type AgentSocket, nodeRig, until } from '@tendon/testing';
import { aFrame } from './a-frame.ts';
import { MachineSocket } from './machine-socket.ts';

/*
 * The live picture of the browser, with a machine that says whatever it likes: what nobody asked for, from the wrong machine, too much, too large,
 * broken. The gateway itself is shown in packages/gateway/src/browser/chromium-live.test.ts.
 */

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());

interface Stage extends AsyncDisposable {
  readonly machine: MachineSocket;
  readonly gatewayId: string;
  readonly sessionId: string;
  readonly person: AgentSocket;
}

async function machineOf(key: string, gatewayId: string): Promise<MachineSocket> {
  const machine = await MachineSocket.connect({ url: rig.url, key });
  const greeted = await machine.hello({ gatewayId });
  assert.ok(greeted.ok, JSON.stringify(greeted));
  return machine;
}

/** A session on a machine, and a person who has not begun to watch. */
async function stage(): Promise<Stage> {
  const gatewayId = randomUUID();
  const machine = await machineOf(rig.key, gatewayId);
  const person = await rig.connect();
  const { session } = await person.ask('session:create', { gatewayId, workspace: '/' });
  return { machine, gatewayId, sessionId: session.id, person, [Symbol.asyncDispose]: () => machine[Symbol.asyncDispose]() };
}

function watch({ person, sessionId }: Stage, on = true): Promise<unknown> {
  return person.ask('browser:watch', { sessionId, on });
}

const titles = (person: AgentSocket): string[] => person.received.flatMap((entry) => (entry.name === 'browser:frame' ? [entry.notice.title] : []));
const states = (person: AgentSocket): string[] => person.received.flatMap((entry) => (entry.name === 'browser:state' ? [entry.notice.state] : []));

/** The machine shows it; with an acknowledgement, so that it is known to be dealt with. */
function show({ machine, sessionId }: Pick<Stage, 'machine' | 'sessionId'>, title: string, more: object = {}) {
  return machine.request('browser:frame', { ...aFrame, sessionId, title, ...more });
}

/** The next command about watching, answered as a machine does. */
function asked({ machine }: Pick<Stage, 'machine'>, from: number): Promise<{ sessionId: string; forMs: number; anew: boolean }> {
  return until({
    what: 'the machine to be asked',
    check: () => machine.commands.slice(from).find(({ name }) => name === 'browser:watch')?.payload as { sessionId: string; forMs: number; anew: boolean },
    pollMs: 10,
  });
}

test('R22: a machine is asked while somebody watches, and told when nobody does; a picture goes to whoever watches alone', async () => {
  await using here = await stage();
  const bystander = await rig.connect();
  await bystander.ask('session:attach', { sessionId: here.sessionId });
  await show(here, 'before');
  await watch(here);
  assert.deepEqual(await asked(here, 0), { sessionId: here.sessionId, forMs: 10_000, anew: true });
  await show(here, 'now');
  await here.person.until('the picture', () => titles(here.person).includes('now'));
  const from = here.machine.commands.length;
  assert.equal((await asked(here, from)).anew, false, 'asked again, and nobody waits');
  await watch(here, false);
  await until({ what: 'the end', check: () => here.machine.commands.some(({ payload }) => (payload as { forMs?: number }).forMs === 0), pollMs: 10 });
  await show(here, 'after');
  await here.person.ask('session:list', {});
  assert.deepEqual(titles(here.person), ['now']);
  assert.deepEqual(titles(bystander), []);
});

test('R22: a watch ends with its connection, with the leaving of the session, and with the session', async () => {
  const ends: ((here: Stage) => unknown)[] = [
    ({ person }) => person.close(),
    ({ person, sessionId }) => person.ask('session:detach', { sessionId }),
    ({ person, sessionId }) => person.ask('session:delete', { sessionId }),
  ];
  for (const end of ends) {
    await using here = await stage();
    await watch(here);
    await asked(here, 0);
    await end(here);
    await until({ what: 'the end', check: () => here.machine.commands.some(({ payload }) => (payload as { forMs?: number }).forMs === 0), pollMs: 10 });
    await show(here, 'after');
    assert.deepEqual(titles(here.person), []);
  }
});

test('R22: watched, not watched and watched again at once ends as watched; ended while it is looked up it ends as ended', async () => {
  await using here = await stage();
  const { sessionId } = here;
  await Promise.all([true, false, true].map((on) => here.person.request('browser:watch', { sessionId, on })));
  await show(here, 'seen');
  await here.person.until('the picture', () => titles(here.person).includes('seen'));
  const other = await rig.connect();
  other.sendBlindly('browser:watch', { sessionId, on: true });
  other.sendBlindly('browser:watch', { sessionId, on: false });
  await other.ask('session:list', {});
  await watch(here, false);
  await until({ what: 'the end', check: () => here.machine.commands.some(({ payload }) => (payload as { forMs?: number }).forMs === 0), pollMs: 10 });
});

test('R23, I13: another machine of the person, or a stranger’s, is not listened to, and neither is the machine about a session that is not watched', async () => {
  await using here = await stage();
  await using second = await machineOf(rig.key, randomUUID());
  const stranger = await rig.addUser();
  await using foreign = await machineOf(stranger.key, randomUUID());
  await watch(here);
  await asked(here, 0);
  for (const machine of [second, foreign]) {
    await show({ machine, sessionId: here.sessionId }, 'forged');
    await machine.request('browser:state', { sessionId: here.sessionId, at: aFrame.at, state: 'refused' });
  }
  const { session: other } = await here.person.ask('session:create', { gatewayId: here.gatewayId, workspace: '/' });
  await here.person.ask('session:attach', { sessionId: other.id });
  await show({ machine: here.machine, sessionId: other.id }, 'of the other session');
  await show(here, 'true');
  await here.person.until('the picture', () => titles(here.person).includes('true'));
  assert.deepEqual([titles(here.person), states(here.person)], [['true'], ['starting']]);
});

test('R23: pictures that are too large, too many or none are refused or dropped, and the next good one arrives', async () => {
  await using here = await stage();
  await watch(here);
  await asked(here, 0);
  const wrong = [
    { image: `/9j/${'A'.repeat(LIMITS.browserImageLength)}` },
    { image: 'data:text/html,<script>alert(1)</script>' },
    { image: `${aFrame.image}" onerror="alert(1)` },
    { image: 'iVBORw0KGgo=' },
    { image: '' },
    { width: 0 },
    { height: 1e9 },
    { title: 'x'.repeat(LIMITS.titleLength + 1) },
    { url: 'x'.repeat(LIMITS.browserUrlLength + 1) },
    { at: 'yesterday' },
    { sessionId: '../other' },
  ];
  for (const more of wrong) {
    const answer = await show(here, 'wrong', more);
    assert.equal(!answer.ok && answer.error.code, 'invalid_payload', JSON.stringify(more).slice(0, 100));
  }
  for (const state of ['away', 'silent', 'shown', '']) {
    const answer = await here.machine.request('browser:state', { sessionId: here.sessionId, at: aFrame.at, state });
    assert.equal(answer.ok, false, state);
  }
  const begun = performance.now();
  const large = await Promise.all(Array.from({ length: 40 }, () => show(here, 'flood of large ones', { image: `/9j/${'A'.repeat(500_000)}` })));
  // What a machine may send at once, and what is added to that in the time that it has taken: some is refused, or all of it has to wait (T10, T26).
  const mebibytes = 8 + (4 * (performance.now() - begun)) / 1_000;
  assert.ok(500_000 * large.filter(({ ok }) => ok).length <= mebibytes * 1_024 * 1_024, `20 MB were taken, and not ${mebibytes} MiB`);
  assert.ok(here.machine.isConnected);
  await Promise.all(Array.from({ length: 200 }, (_, index) => show(here, `flood ${index}`)));
  await here.person.ask('session:list', {});
  // Ten in each second that the flood has taken, and in the one that it has begun.
  const most = 10 * (1 + Math.floor((performance.now() - begun) / 1_000));
  assert.ok(titles(here.person).length <= most, `${titles(here.person).length} of the flood arrived, and not ${most}`);
  assert.ok(titles(here.person).every((title) => title.startsWith('flood')));
  const isGood = () => titles(here.person).includes('good');
  // In the next second of the clock it is heard again.
  const check = (): boolean => {
    if (!isGood()) void show(here, 'good').catch(() => undefined);
    return isGood();
  };
  await until({ what: 'a good one', check, pollMs: 200 });
});

test('R24: a machine that is away is told of, and asked anew when it is back; one that says nothing is told of as well', async () => {
  await using here = await stage();
  await watch(here);
  await asked(here, 0);
  await here.machine[Symbol.asyncDispose]();
  await here.person.until('away', () => states(here.person).at(-1) === 'away');
  await using back = await machineOf(rig.key, here.gatewayId);
  assert.equal((await asked({ machine: back }, 0)).anew, true);
  await here.person.until('the start', () => states(here.person).at(-1) === 'starting');
  await here.person.until('that it is silent', () => states(here.person).at(-1) === 'silent');
  await show({ machine: back, sessionId: here.sessionId }, 'at last');
  await here.person.until('the picture', () => titles(here.person).includes('at last'));
});

test('R24: a session that moves to another machine is watched there, and no longer where it was', async () => {
  await using here = await stage();
  const gatewayId = randomUUID();
  await using next = await machineOf(rig.key, gatewayId);
  await watch(here);
  await asked(here, 0);
  await show(here, 'here');
  await here.person.until('the picture', () => titles(here.person).includes('here'));
  await here.person.ask('session:update', { sessionId: here.sessionId, gatewayId });
  assert.equal((await asked({ machine: next }, 0)).anew, true);
  await here.person.until('a new start', () => states(here.person).length === 2);
  await show(here, 'late');
  await show({ machine: next, sessionId: here.sessionId }, 'there');
  await here.person.until('the picture', () => titles(here.person).includes('there'));
  assert.deepEqual(titles(here.person), ['here', 'there']);
  assert.ok(here.machine.commands.some(({ payload }) => (payload as { forMs?: number }).forMs === 0));
});

test('R23: one connection watches a few browsers and no more', async () => {
  await using here = await stage();
  for (let index = 0; index < LIMITS.browserWatches; index += 1) {
    const { session } = await here.person.ask('session:create', { gatewayId: here.gatewayId, workspace: '/' });
    await here.person.ask('browser:watch', { sessionId: session.id, on: true });
  }
  const answer = await here.person.request('browser:watch', { sessionId: here.sessionId, on: true });
  assert.equal(!answer.ok && answer.error.code, 'conflict');
});
