import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { AgentClient, type SessionClient } from '@tendon/client';
import type { Call, CallState } from '@tendon/protocol';
import {
  browserStandIn,
  createGate,
  type HeldCommand,
  heldCommand,
  ledgerLines,
  nodeRig,
  type RelayBrowser,
  relayToken,
  resultText,
  runs,
  SessionView,
  says,
  signInAtRelay,
  startTendon,
  type TendonProcess,
  temporaryFolder,
  textOf,
  until,
  waitsFor,
} from '@tendon/testing';

/*
 * What a page loses when its relay goes in the middle of work: nothing. `tendon gateway --relay` as a process, whose way to the server is
 * cut, or which is killed where it stands and started again on its port; in front of it the client that pages use.
 */

const CLIENT = { name: 'a page', version: '1.0.0' };
const PATIENCE_MS = 40_000;
const SIGNED_OUT = { code: 'unauthorized', message: 'Open the link that the terminal of this machine shows.' };

/** Ends in turn: first those who connect, last what they are connected to. */
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
const rig = stack.use(await nodeRig({ isProxied: true, hasGateway: false }));
const place = stack.use(await temporaryFolder());
const policy = join(place.path, 'gateway-policy.json');

/** The machine with the relay; it keeps its port. */
let machine = await startMachine('0');
stack.defer(() => machine[Symbol.asyncDispose]());
const { port: relayPort, origin: relayOrigin } = new URL(await link());
const browser = stack.use(await browserStandIn(Number(relayPort)));
let signedIn = await signIn();
/** How often the page has asked for a token. */
let asked = 0;
/** Its pauses are the shortest that it may make: these tests make more drops than a page meets in a day. */
const page = new AgentClient({ url: browser.url, client: CLIENT, token: askToken, random: () => 0.02 });
stack.defer(() => page.close());
const direct = new AgentClient({ url: rig.url, client: { ...CLIENT, name: 'beside it' }, token: rig.key });
stack.defer(() => direct.close());

afterEach(() => rm(policy, { force: true }));

function askToken(): Promise<string | undefined> {
  asked += 1;
  return relayToken(relayOrigin, signedIn);
}

function startMachine(port: string): Promise<TendonProcess> {
  return startTendon({
    args: ['gateway', '--server', rig.proxy.url, '--workspace', rig.workspace, '--name', 'attic', '--relay'],
    env: { TENDON_HOME: place.path, TENDON_API_KEY: rig.key, TENDON_RELAY_PORT: port },
    scratch: place.path,
  });
}

/** It stands in the terminal of the machine a moment after that is ready. */
function link(): Promise<string> {
  return seen('a link in the terminal', () => /http:\/\/127\.0\.0\.1:\d+\/sign-in\?token=[\w-]{43}/.exec(machine.output())?.[0]);
}

/** Opens the link of the terminal. */
async function signIn(): Promise<RelayBrowser> {
  const opened = await signInAtRelay(await link());
  browser.cookie = opened.cookie;
  return opened;
}

interface Drop {
  readonly title: string;
  go(): Promise<unknown>;
  comeBack(): Promise<void>;
}

const CUT: Drop = {
  title: 'the way of the relay to its server is cut',
  go: () => rig.proxy.refuse(),
  comeBack: async () => {
    rig.proxy.resume();
    await rig.proxy.accept();
    await isOnline();
  },
};

/** Everybody is signed out by it (L2): the person opens the new link, and has the page try again. */
const KILLED: Drop = {
  title: 'the process of the relay is killed',
  go: () => machine.end('SIGKILL'),
  comeBack: async () => {
    rig.proxy.resume();
    machine = await startMachine(relayPort);
    signedIn = await signIn();
    await isOnline();
  },
};

function isOnline(): Promise<unknown> {
  const look = (): true | undefined => {
    const { kind } = page.connection.get();
    if (kind === 'failed' || kind === 'waiting') page.connectNow();
    return kind === 'online' || undefined;
  };
  return until({ what: 'the page to be connected', pollMs: 20, deadlineMs: PATIENCE_MS, check: look });
}

function seen<T>(what: string, look: () => T | undefined | false): Promise<T> {
  return until({ what, pollMs: 5, deadlineMs: PATIENCE_MS, check: look });
}

interface Stage extends Disposable {
  readonly id: string;
  /** Through the relay. */
  readonly through: SessionClient;
  readonly beside: SessionClient;
}

/** A new session on the machine of that name. */
async function open(machineName = 'attic'): Promise<Stage> {
  await isOnline();
  const gatewayId = await seen('the machine', () => page.gateways.get().find(({ name, online }) => online && name === machineName)?.id);
  const created = await page.request('session:create', { gatewayId });
  assert.ok(created.ok);
  const { id } = created.data.session;
  const [through, beside] = [page.open(id), direct.open(id)];
  return {
    ...{ id, through, beside },
    [Symbol.dispose]: () => {
      for (const session of [through, beside]) session.release();
    },
  };
}

function callIn({ view }: SessionClient, ...states: CallState[]): () => Call | undefined {
  return () => Object.values(view.get().calls).find(({ state }) => states.includes(state));
}

function liveText({ view }: SessionClient): string {
  const { live } = view.get();
  return live ? textOf(live) : '';
}

/** At rest, the page shows what one shows that never went through a relay, and what one shows that has just come; and everything was told once. */
async function assertWhole({ id, through, beside }: Stage, said: readonly string[]): Promise<SessionView> {
  const told = await SessionView.attach(await rig.connect(), id, 0);
  const isOver = (): boolean => told.session.status === 'idle' && told.messages.at(-1)?.role === 'assistant' && said.length === userTexts(told).length;
  const fresh = new AgentClient({ url: browser.url, client: CLIENT, token: () => relayToken(relayOrigin, signedIn) });
  try {
    const newcomer = fresh.open(id);
    const all = [through, beside, newcomer];
    const isShown = ({ view }: SessionClient): boolean => view.get().seq === told.events.at(-1)?.seq && view.get().outbox.length === 0;
    await seen('all to show the end of it', () => isOver() && all.every(isShown));
    const [shown, ...others] = all.map(({ view }) => view.get());
    for (const other of others) assert.deepEqual(shown, other);
  } finally {
    fresh.close();
  }
  told.assertGapFree();
  assert.deepEqual(userTexts(told), said, 'each message once, in order');
  return told;
}

function userTexts({ messages }: SessionView): string[] {
  return messages.filter(({ role }) => role === 'user').map(textOf);
}

/** The states that a call was told with, one after the other. */
function statesOf({ events }: SessionView, callId: string): CallState[] {
  return events.flatMap((event) =>
    (event.type === 'call.requested' || event.type === 'call.updated') && event.data.call.id === callId ? [event.data.call.state] : [],
  );
}

for (const drop of [CUT, KILLED]) {
  describe(`L4: ${drop.title}`, () => {
    test('K9, K13, K23: while an answer streams, and while a message is sent whose answer is lost: all is there, once', async () => {
      using stage = await open();
      const { through, beside } = stage;
      const [gone, back] = [createGate(), createGate()];
      rig.model.script(
        [...says('one ', 'two '), waitsFor(gone), ...says('three '), waitsFor(back), ...says('four')],
        says('To the second.'),
        says('To the third.'),
      );
      through.send('tell me');
      await seen('the page to see it stream', () => liveText(through) === 'one two ');
      rig.proxy.stall('down');
      through.send('and this');
      await seen('the server to have it', () => beside.view.get().messages.some((message) => textOf(message) === 'and this'));
      await drop.go();
      await seen('the page to know', () => page.connection.get().kind !== 'online');
      through.send('and this, meanwhile');
      gone.open();
      await seen('it to stream on', () => liveText(beside) === 'one two three ');
      await drop.comeBack();
      await seen('the page to have caught up', () => liveText(through) === 'one two three ');
      back.open();
      const told = await assertWhole(stage, ['tell me', 'and this', 'and this, meanwhile']);
      const answers = told.messages.filter(({ role }) => role === 'assistant').map(textOf);
      assert.deepEqual(answers, ['one two three four', 'To the second.', 'To the third.']);
    });

    test('C5, C7, K23: while an approval is sent whose answer is lost: it counts, once, and what it lets run runs once', async () => {
      using stage = await open();
      const { through, beside } = stage;
      const name = `${stage.id}.ledger`;
      rig.model.script([runs(`echo ran >> ${name}; cat ${name}`)], says('It ran.'));
      through.send('run it');
      const call = await seen('the call to wait', callIn(through, 'awaiting_approval'));
      // Where only what was approved through this relay is run: what it knows of that lasts as long as its process.
      if (drop === CUT) await requireLocal();
      rig.proxy.stall('down');
      const deciding = through.decide(call, { decision: 'approve' });
      await seen('the server to have it', () => beside.view.get().calls[call.id]?.decision !== undefined);
      await drop.go();
      const answer = await deciding;
      assert.equal(answer.ok ? 'ok' : answer.error.code, 'unavailable', 'the page does not know what became of it');
      await drop.comeBack();
      await seen('the page to know of it', () => through.view.get().calls[call.id]?.decision !== undefined);
      await seen('it to be over', callIn(through, 'succeeded', 'failed'));
      assert.equal((await through.decide(call, { decision: 'approve' })).ok, true, 'said again, it is acknowledged');
      const told = await assertWhole(stage, ['run it']);
      assert.deepEqual(statesOf(told, call.id), ['awaiting_approval', 'queued', 'running', 'succeeded']);
      assert.equal(outputIn(through), 'ran\n');
      assert.equal(ledgerLines(join(rig.workspace, name)), 1);
    });
  });
}

test('L4, K20: while the server is away, the page says that its relay cannot reach it and when it tries next, and so does what it refuses', async () => {
  await isOnline();
  const reasons: string[] = [];
  const stop = page.connection.subscribe(() => {
    const state = page.connection.get();
    if (state.kind === 'waiting') reasons.push(state.reason.message);
  });
  await CUT.go();
  await seen('a try that failed', () => reasons.length >= 2);
  stop();
  const { origin } = new URL(rig.proxy.url);
  assert.equal(reasons[0], `The relay on this machine has lost its connection to ${origin}.`);
  assert.equal(reasons[1], `The relay on this machine cannot reach ${origin}: nothing listens there (ECONNREFUSED). It tries again when this page does.`);
  const waiting = await seen('the next wait', () => {
    const state = page.connection.get();
    return state.kind === 'waiting' && state;
  });
  const answer = await page.request('session:list', {});
  assert.deepEqual(answer, { ok: false, error: { code: 'unavailable', message: 'There is no connection to the server.', details: waiting } });
  assert.equal(page.notices.get(), undefined, 'the state of the connection says it, and nothing else has to be put away');
  await CUT.comeBack();
});

test('L9, K4: a page whose server is away asks for one token, however often it tries, and is let in with it', async () => {
  await isOnline();
  let tries = 0;
  const before = asked;
  const stop = page.connection.subscribe(() => {
    if (page.connection.get().kind === 'waiting') tries += 1;
  });
  await CUT.go();
  await seen('many tries that failed', () => {
    if (page.connection.get().kind === 'waiting') page.connectNow();
    return tries >= 10;
  });
  stop();
  await CUT.comeBack();
  assert.equal(asked - before, 1, 'the one before was used');
});

test('L9, K4: a page that is signed out asks once more, and then not again', async () => {
  await isOnline();
  const before = asked;
  await fetch(new URL('/api/auth/sign-out', relayOrigin), { method: 'POST', headers: { Cookie: signedIn.cookie, Origin: relayOrigin } });
  await seen('the page to give up', () => page.connection.get().kind === 'failed');
  assert.deepEqual([asked - before, page.connection.get()], [1, { kind: 'failed', reason: SIGNED_OUT }]);
  await KILLED.go();
  await KILLED.comeBack();
});

test(`L4, K23: ${CUT.title} while a command runs there: it goes on, and its page sees its end`, () => runsOn(CUT, 'attic'));

test(`L4, K23: ${KILLED.title} while a command runs on another machine: it goes on, and the page sees its end`, async () => {
  await rig.startGateway();
  await runsOn(KILLED, hostname());
});

/** A command on this machine, with the page away in the middle of it. */
async function runsOn(drop: Drop, machineName: string): Promise<void> {
  using stage = await open(machineName);
  const { through } = stage;
  const { held, call } = await startHeld(stage);
  await drop.go();
  await seen('the page to know', () => page.connection.get().kind !== 'online');
  await drop.comeBack();
  await held.letEnd('and over');
  const told = await assertWhole(stage, ['run it']);
  assert.deepEqual(statesOf(told, call.id), ['awaiting_approval', 'queued', 'running', 'succeeded']);
  assert.equal(outputIn(through), 'up\nand over\n');
  assert.equal(held.starts(), 1);
}

test(`L4, G16: ${KILLED.title} while a command of its own machine runs: it has begun once, and the page is asked what became of it`, async () => {
  using stage = await open('attic');
  const { through } = stage;
  const { held, call } = await startHeld(stage);
  await KILLED.go();
  await KILLED.comeBack();
  await seen('the outcome to be unknown', callIn(through, 'unknown'));
  const resolved = await through.resolve(call, { outcome: 'done' });
  assert.ok(resolved.ok);
  const told = await assertWhole(stage, ['run it']);
  assert.deepEqual(statesOf(told, call.id).slice(0, 4), ['awaiting_approval', 'queued', 'running', 'unknown']);
  assert.equal(held.starts(), 1);
});

test('L7: an approval ends with the process that it passed through: after a restart its machine asks for another', async () => {
  await requireLocal();
  using stage = await open('attic');
  const { through, beside } = stage;
  rig.model.script([runs('echo never')], says('I see.'));
  through.send('run it');
  const call = await seen('the call to wait', callIn(through, 'awaiting_approval'));
  rig.proxy.stall('down');
  void through.decide(call, { decision: 'approve' });
  await seen('the server to have it', () => beside.view.get().calls[call.id]?.decision !== undefined);
  await KILLED.go();
  await KILLED.comeBack();
  const told = await assertWhole(stage, ['run it']);
  assert.deepEqual(statesOf(told, call.id), ['awaiting_approval', 'queued', 'failed']);
  assert.equal(told.calls[0]?.result?.error?.code, 'approval_needed');
});

/** A command that has been approved on the page, and runs until it is let go. */
async function startHeld({ through, beside }: Stage): Promise<{ readonly held: HeldCommand; readonly call: Call }> {
  const held = await heldCommand(rig.workspace);
  rig.model.script([held.step], says('It is over.'));
  through.send('run it');
  const call = await seen('the call to wait', callIn(through, 'awaiting_approval'));
  await through.decide(call, { decision: 'approve' });
  for (const session of [through, beside]) await seen('its output', () => session.view.get().outputs[call.id]?.text.includes('up'));
  return { held, call };
}

function requireLocal(): Promise<void> {
  return writeFile(policy, JSON.stringify({ version: 1, requireLocalApproval: true, rules: [] }));
}

function outputIn({ view }: SessionClient): string {
  return Object.values(view.get().calls).map(resultText).join();
}
