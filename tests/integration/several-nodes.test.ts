import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  AgentSocket,
  createGate,
  modelEnvironment,
  ScriptedModel,
  SessionView,
  says,
  stampedTokens,
  startTendon,
  type TendonProcess,
  temporaryFolder,
  testDatabase,
  textOf,
  waitsFor,
} from '@tendon/testing';

/*
 * Three nodes on one PostgreSQL: work never ends with its node. What nodes tell each other while they live is in nodes.test.ts.
 */

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
const database = stack.use(await testDatabase());
const model = stack.use(await ScriptedModel.start());
const key = `tdn_${randomBytes(24).toString('hex')}`;
const secret = randomBytes(32).toString('base64');

async function startNode(): Promise<TendonProcess> {
  const home = stack.use(await temporaryFolder());
  const scratch = stack.use(await temporaryFolder());
  const env = {
    ...modelEnvironment(model),
    TENDON_HOME: home.path,
    TENDON_PORT: '0',
    TENDON_DATABASE_URL: database.url,
    TENDON_OWNER_KEY: key,
    TENDON_SECRET_KEY: secret,
  };
  return stack.use(await startTendon({ args: ['server'], env, scratch: scratch.path }));
}

async function connect(node: TendonProcess): Promise<AgentSocket> {
  return stack.use(await AgentSocket.connect({ url: node.url, key }));
}

/** Looks again and again, as a page does that comes back: until the session rests. */
async function restedView(node: TendonProcess, sessionId: string): Promise<SessionView> {
  const socket = await connect(node);
  for (;;) {
    const view = await SessionView.attach(socket, sessionId, 0);
    if (view.session.status === 'idle') return view;
    await pause(50);
  }
}

const [first, second, third] = [await startNode(), await startNode(), await startNode()];
const TAKEOVER_MS = 40_000;

test('R21, I6: kill -9 of one of three nodes in mid-stream: every session goes on elsewhere, with its message once', {
  timeout: TAKEOVER_MS + 20_000,
}, async () => {
  const sessions: SessionView[] = [];
  const gate = createGate();
  for (let index = 0; index < 6; index += 1) {
    model.script([stampedTokens(30, 20), waitsFor(gate)]);
    const session = await SessionView.create(await connect(first));
    await session.say(`question ${index}`);
    await session.untilDelta('text', '29@');
    sessions.push(session);
  }
  model.otherwise(() => says('second try'));
  const begun = performance.now();
  await first.end('SIGKILL');
  const took: number[] = [];
  await Promise.all(
    sessions.map(async (session, index) => {
      const view = await restedView(index % 2 === 0 ? second : third, session.id);
      took.push(Math.round(performance.now() - begun));
      const questions = view.messages.filter((message) => message.role === 'user').map(textOf);
      assert.deepEqual(questions, [`question ${index}`]);
      assert.equal(view.answer, 'second try');
      view.assertGapFree();
      assert.deepEqual(view.events.slice(0, session.events.length), session.events, 'what clients were told is what was stored');
    }),
  );
  process.stdout.write(`takeover of 6 sessions after kill -9, until each rests, ms: ${took.toSorted((a, b) => a - b).join(', ')}\n`);
});

test('R21: a node that is told to end hands its turns over at once', { timeout: TAKEOVER_MS }, async () => {
  model.script([stampedTokens(30, 20), waitsFor(createGate())]);
  const session = await SessionView.create(await connect(second));
  await session.say('one more question');
  await session.untilDelta('text', '29@');
  const begun = performance.now();
  await second.end('SIGTERM');
  const view = await restedView(third, session.id);
  process.stdout.write(`takeover after SIGTERM, until it rests, ms: ${Math.round(performance.now() - begun)}\n`);
  assert.equal(view.answer, 'second try');
  assert.equal(view.messages.filter((message) => message.role === 'user').length, 1);
});
