import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { createLog } from '@tendon/server/settings';
import { connect as connectDatabase } from '@tendon/server/store';
import { AgentSocket, ScriptedModel, SessionView, says, startTendon, type TendonProcess, temporaryFolder, testDatabase } from '@tendon/testing';

/* Keys of providers that an owner enters, at real processes on one PostgreSQL, through a rotation of the secret key. */

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
const database = stack.use(await testDatabase());
const model = stack.use(await ScriptedModel.start());
const key = `tdn_${randomBytes(24).toString('hex')}`;
const [OLD, NEW, LOST] = [randomBytes(32), randomBytes(32), randomBytes(32)].map((bytes) => bytes.toString('base64'));
const CANARY = 'sk-canary-0123456789-canary-0123456789';
const MODEL = 'compatible/scripted';
const outputs: (() => string)[] = [];

async function startNode(env: Record<string, string | undefined>): Promise<TendonProcess> {
  const home = stack.use(await temporaryFolder());
  const scratch = stack.use(await temporaryFolder());
  const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const node = await startTendon({
    args: ['server'],
    env: {
      ...{ TENDON_HOME: home.path, TENDON_PORT: '0', TENDON_DATABASE_URL: database.url, TENDON_OWNER_KEY: key, TENDON_LOG_LEVEL: 'trace' },
      OLLAMA_HOST: 'http://127.0.0.1:9',
      ...Object.fromEntries(given),
    },
    scratch: scratch.path,
  });
  outputs.push(node.output);
  return stack.use(node);
}

async function ask(node: TendonProcess, request: string, body?: object): Promise<{ status: number; text: string }> {
  const [method = '', path = ''] = request.split(' ');
  const init = { method, headers: { authorization: `Bearer ${key}` }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const answer = await fetch(`${node.url}${path}`, init);
  return { status: answer.status, text: await answer.text() };
}

async function connect(node: TendonProcess): Promise<AgentSocket> {
  return stack.use(await AgentSocket.connect({ url: node.url, key }));
}

/** Asks again until the node has found out; its own deadline is the test's. */
async function untilChoosable(socket: AgentSocket, isChoosable: boolean): Promise<void> {
  for (;;) {
    const made = await socket.request('session:create', { model: MODEL });
    if (made.ok === isChoosable) return;
    await pause(50);
  }
}

const everySocket: AgentSocket[] = [];

async function answers(node: TendonProcess, text: string): Promise<SessionView> {
  const socket = await connect(node);
  everySocket.push(socket);
  model.script(says(text));
  const session = await SessionView.create(socket, { model: MODEL });
  await session.say('hello');
  await session.untilStatus('idle');
  assert.equal(session.answer, text);
  return session;
}

const first = await startNode({ TENDON_SECRET_KEY: OLD, TENDON_MODEL: MODEL });
const second = await startNode({ TENDON_SECRET_KEY: OLD });

test('A19, M14: a server starts although its model has no key yet, and says where to enter one', async () => {
  assert.match(first.output(), /TENDON_MODEL is \\?"compatible\/scripted\\?".*page Models/);
  const refused = await (await connect(second)).request('session:create', { model: MODEL });
  assert.match(String(!refused.ok && refused.error.message), /page Models.*TENDON_COMPATIBLE_URL/);
});

test('A19: a key that is entered at one node works at both, without a restart, and is gone from both when it is removed', { timeout: 30_000 }, async () => {
  const at = await connect(second);
  assert.equal((await ask(first, 'POST /api/providers/compatible', { url: model.url, key: CANARY })).status, 200);
  await answers(first, 'from the first');
  await untilChoosable(at, true);
  await answers(second, 'from the second');
  assert.deepEqual(
    model.requests.slice(-2).map(({ headers }) => headers.authorization),
    [`Bearer ${CANARY}`, `Bearer ${CANARY}`],
  );
  const { models } = await at.ask('model:list', {});
  assert.ok((await ask(first, 'GET /api/providers')).text.includes('"lastCharacters":"6789"'));
  assert.ok(!JSON.stringify(models).includes(CANARY));
  await ask(first, 'DELETE /api/providers/compatible');
  await untilChoosable(at, false);
  await ask(second, 'POST /api/providers/compatible', { url: model.url, key: CANARY });
  await untilChoosable(await connect(first), true);
});

for (const status of [400, 401, 403, 404, 422]) {
  test(`A19, M12: a provider that repeats the key in its error (${status}) tells nobody`, async () => {
    const socket = await connect(first);
    everySocket.push(socket);
    model.script({ status, message: `Incorrect API key provided: ${CANARY}. Header: Bearer ${CANARY}, url ?key=${encodeURIComponent(CANARY)}` });
    const session = await SessionView.create(socket, { model: MODEL });
    await session.say('hello');
    await session.socket.until('turn.failed', () => session.failures.length > 0);
    assert.ok(!JSON.stringify(session.events).includes('canary'), JSON.stringify(session.failures));
  });
}

test('A18: a node with another secret key does not start beside them, and says what to set', async () => {
  await assert.rejects(startNode({ TENDON_SECRET_KEY: LOST }), /did not become ready:\n.*same TENDON_SECRET_KEY.*TENDON_SECRET_KEY_PREVIOUS/s);
});

test('A16, A18: a rotation from node to node, without a moment in which one of them has no key', { timeout: 60_000 }, async () => {
  await first.end('SIGTERM');
  const one = await startNode({ TENDON_SECRET_KEY: OLD, TENDON_SECRET_KEY_PREVIOUS: NEW });
  await second.end('SIGTERM');
  const two = await startNode({ TENDON_SECRET_KEY: OLD, TENDON_SECRET_KEY_PREVIOUS: NEW });
  await one.end('SIGKILL');
  const rotated = await startNode({ TENDON_SECRET_KEY: NEW, TENDON_SECRET_KEY_PREVIOUS: OLD });
  await answers(two, 'sealed with the new key, read by one that still seals with the old');
  await answers(rotated, 'and by the one that sealed it');
  await two.end('SIGTERM');
  await rotated.end('SIGTERM');
  const after = await startNode({ TENDON_SECRET_KEY: NEW });
  await answers(after, 'without the old key');
  const sealing = JSON.parse((await ask(after, 'GET /api/secrets')).text) as { current: string; keys: object[] };
  assert.deepEqual(sealing.keys, [{ id: sealing.current, rows: 1, isHere: true }]);
  await after.end('SIGTERM');
});

test('A17: with a lost key the server starts, tells what to do, and the key is entered anew', async () => {
  const node = await startNode({ TENDON_SECRET_KEY: LOST });
  assert.match(node.output(), /was sealed with the secret key [0-9a-f]{16}, which this server does not have.*TENDON_SECRET_KEY_PREVIOUS/);
  assert.match((await ask(node, 'GET /api/providers')).text, /"fault":"it was sealed with/);
  assert.equal((await ask(node, 'POST /api/providers/compatible', { url: model.url, key: CANARY })).status, 200);
  await answers(node, 'again');
});

test('A15, A19: through all of it no log, no answer to a client and no table has had the key', async () => {
  for (const output of outputs)
    assert.ok(
      !output().includes('canary'),
      output()
        .split('\n')
        .find((line) => line.includes('canary')),
    );
  for (const { received } of everySocket) assert.ok(!JSON.stringify(received).includes('canary'));
  const { pool, close } = connectDatabase(database.url, createLog({ level: 'error', pretty: false }));
  const { rows: tables } = await pool.query<{ name: string }>(`select table_name as name from information_schema.tables where table_schema = 'public'`);
  assert.ok(tables.length > 10);
  for (const { name } of tables) {
    const { rows } = await pool.query<{ row: string }>(`select t::text as row from ${name} t`);
    const text = rows.map(({ row }) => row).join('\n');
    for (const spelling of ['canary', Buffer.from('canary').toString('hex')]) assert.ok(!text.includes(spelling), name);
  }
  await close();
});
