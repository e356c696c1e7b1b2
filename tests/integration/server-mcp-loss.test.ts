import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  AgentSocket,
  calls,
  modelEnvironment,
  processRig,
  resultText,
  ScriptedModel,
  SessionView,
  says,
  startTendon,
  type TendonProcess,
  temporaryFolder,
  testDatabase,
} from '@tendon/testing';
import { hasTool, ledgerServer, linesOf, serversWhen, untilLine, writeServerMcp } from './server-mcp-rig.ts';

/*
 * What becomes of a call of an MCP tool that runs on the server when the server's process ends, or another node takes its session.
 */

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
const TAKEOVER_MS = 40_000;

/** A call that runs, and is held until `<ledger>.go` is there. */
async function heldCall(socket: AgentSocket, word: string): Promise<{ session: SessionView; callId: string }> {
  const session = await SessionView.create(socket);
  await session.say('work');
  const waiting = await session.untilCall('awaiting_approval');
  await session.decide(waiting, 'approve');
  await session.untilDelta('tool_output', `holding ${word}`);
  return { session, callId: waiting.id };
}

const hold = (word: string) => calls({ name: 'server_mcp__ledger__hold', input: { word } });

test('E25, E28: after a kill -9 in the middle of a call its outcome is unknown, it is not begun again, and the model and the log know no secret', async () => {
  await using rig = await processRig();
  const ledger = join(rig.workspace, 'ledger');
  const canary = 'canary-of-mcp-0123456789';
  await writeServerMcp(rig.home, { ledger: ledgerServer(ledger, { API_TOKEN: canary }) });
  const server = await rig.start();
  const socket = await rig.connect();
  await serversWhen(socket, hasTool('server_mcp__ledger__hold'));
  rig.model.script([hold('lost')], says('I shall look.'));
  const { session, callId } = await heldCall(socket, 'lost');
  await server.end('SIGKILL');

  const again = await rig.start();
  const after = await SessionView.attach(await rig.connect(), session.id, 0);
  const lost = await after.untilCallIs(callId, 'unknown');
  assert.match(resultText(lost), /The call had started, and no one can say whether it finished/);
  await after.untilStatus('idle');
  assert.equal(after.answer, 'I shall look.');
  assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /no one can say whether it finished/);
  assert.deepEqual(
    linesOf(ledger).filter((line) => line === 'held lost'),
    ['held lost'],
  );
  after.assertGapFree();

  // The person has it run again, which is another call with an approval of its own.
  await serversWhen(after.socket, hasTool('server_mcp__ledger__hold'));
  await writeFile(`${ledger}.go`, '');
  const { newCallId } = await after.socket.ask('tool:resolve', { sessionId: after.id, callId, outcome: 'again' });
  const anew = await after.untilCallIs(newCallId ?? '', 'awaiting_approval');
  rig.model.script(says('Now it is done.'));
  await after.decide(anew, 'approve');
  assert.equal(resultText(await after.untilCallIs(anew.id, 'succeeded')), 'done lost');
  assert.ok(!`${server.output()}${again.output()}`.includes(canary));
});

test('E26: told to end, the server ends its calls, stores that, and the session goes on at its next start', async () => {
  await using rig = await processRig();
  const ledger = join(rig.workspace, 'ledger');
  await writeServerMcp(rig.home, { ledger: ledgerServer(ledger) });
  const server = await rig.start();
  const socket = await rig.connect();
  await serversWhen(socket, hasTool('server_mcp__ledger__hold'));
  rig.model.script([hold('drained')]);
  const { session, callId } = await heldCall(socket, 'drained');
  rig.model.otherwise(() => says('It was ended.'));
  assert.equal((await server.end('SIGTERM')).code, 0);
  await rig.start();
  const after = await SessionView.attach(await rig.connect(), session.id, 0);
  assert.match(resultText(await after.untilCallIs(callId, 'cancelled')), /Ended because the server was stopped\. What it had done by then stays done\./);
  await after.untilStatus('idle');
  assert.equal(after.answer, 'It was ended.');
  assert.equal(linesOf(ledger).filter((line) => line === 'held drained').length, 1);
});

async function startNode(about: {
  readonly home: string;
  readonly databaseUrl: string;
  readonly model: ScriptedModel;
  readonly key: string;
  readonly secret: string;
}): Promise<TendonProcess> {
  const scratch = stack.use(await temporaryFolder());
  const env = {
    ...modelEnvironment(about.model),
    TENDON_HOME: about.home,
    TENDON_PORT: '0',
    TENDON_DATABASE_URL: about.databaseUrl,
    TENDON_OWNER_KEY: about.key,
    TENDON_SECRET_KEY: about.secret,
  };
  return stack.use(await startTendon({ args: ['server'], env, scratch: scratch.path }));
}

test('E25: of two nodes, the one that runs a call is killed, or sleeps longer than its lease: the other says unknown, and no result comes later', {
  timeout: 2 * TAKEOVER_MS + 30_000,
}, async () => {
  const database = stack.use(await testDatabase());
  const model = stack.use(await ScriptedModel.start());
  const [first, second] = [stack.use(await temporaryFolder()), stack.use(await temporaryFolder())];
  const shared = { databaseUrl: database.url, model, key: `tdn_${randomBytes(24).toString('hex')}`, secret: randomBytes(32).toString('base64') };
  const ledger = join(first.path, 'ledger');
  await writeServerMcp(first.path, { ledger: ledgerServer(ledger) });
  const runs = await startNode({ ...shared, home: first.path });
  const takes = await startNode({ ...shared, home: second.path });
  const socketOf = async (node: TendonProcess): Promise<AgentSocket> => stack.use(await AgentSocket.connect({ url: node.url, key: shared.key }));
  const socket = await socketOf(runs);
  await serversWhen(socket, hasTool('server_mcp__ledger__hold'));

  model.script([hold('slept')], says('I shall look.'));
  const slept = await heldCall(socket, 'slept');
  const there = await SessionView.attach(await socketOf(takes), slept.session.id, 0);
  process.kill(runs.pid, 'SIGSTOP');
  await there.untilCallIs(slept.callId, 'unknown', TAKEOVER_MS);
  await there.untilStatus('idle');
  process.kill(runs.pid, 'SIGCONT');
  // It wakes, finds its lease gone, and ends the call, whose result nobody waits for.
  await untilLine(ledger, 'told to end slept');
  const woken = await SessionView.attach(await socketOf(runs), slept.session.id, 0);
  assert.deepEqual(
    woken.calls.map(({ state }) => state),
    ['unknown'],
  );
  assert.deepEqual(woken.events, there.events);

  model.script([hold('killed')], says('I shall look again.'));
  const killed = await heldCall(await socketOf(runs), 'killed');
  const elsewhere = await SessionView.attach(await socketOf(takes), killed.session.id, 0);
  await runs.end('SIGKILL');
  await elsewhere.untilCallIs(killed.callId, 'unknown', TAKEOVER_MS);
  await elsewhere.untilStatus('idle');
  assert.equal(elsewhere.answer, 'I shall look again.');
  assert.deepEqual(
    linesOf(ledger).filter((line) => line.startsWith('held')),
    ['held slept', 'held killed'],
  );
  // The MCP server outlives its node and comes to an end: nobody hears of it.
  await writeFile(`${ledger}.go`, '');
  await untilLine(ledger, 'done killed');
  assert.deepEqual(
    elsewhere.calls.map(({ state }) => state),
    ['unknown'],
  );
  elsewhere.assertGapFree();
});
