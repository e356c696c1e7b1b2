import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LIMITS } from '@tendon/protocol';
import { calls, DIALECTS, nodeRig, resultText, SessionView, says } from '@tendon/testing';
import { EVERYTHING, hasTool, ledgerServer, untilLine as lineOf, linesOf, serversWhen, writeServerMcp } from './server-mcp-rig.ts';

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());
const ledger = join(rig.workspace, 'ledger');
const watcher = await rig.connect();
const SERVERS = { everything: EVERYTHING, ledger: ledgerServer(ledger) };
const untilLine = (line: string): Promise<void> => lineOf(ledger, line);
await writeServerMcp(rig.home, SERVERS);
await serversWhen(watcher, hasTool('server_mcp__everything__echo'));
await serversWhen(watcher, hasTool('server_mcp__ledger__work'));

for (const dialect of DIALECTS) {
  test(`E23, E24: without a machine, a model that speaks ${dialect.name} calls a tool of an MCP server on the server; it is approved, runs, and the result comes`, async () => {
    const session = await rig.open({ model: dialect.model });
    rig.model.script([calls({ name: 'server_mcp__everything__echo', input: { message: 'from afar' } })], says('It said it.'));
    await session.say('echo');
    const waiting = await session.untilCall('awaiting_approval');
    assert.deepEqual([waiting.kind, waiting.effect, waiting.gatewayId], ['remote', 'execute', undefined]);
    await session.decide(waiting, 'approve');
    assert.equal(resultText(await session.untilCallIs(waiting.id, 'succeeded')), 'Echo: from afar');
    await session.untilStatus('idle');
    assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /Echo: from afar/);
    session.assertGapFree();
  });
}

test('E24: a denied call is not run', async () => {
  const session = await rig.open();
  rig.model.script([calls({ name: 'server_mcp__ledger__work', input: { word: 'denied' } })], says('As you wish.'));
  await session.say('work');
  const waiting = await session.untilCall('awaiting_approval');
  await session.decide(waiting, 'deny', { reason: 'no' });
  await session.untilStatus('idle');
  assert.deepEqual(
    linesOf(ledger).filter((line) => line.includes('denied')),
    [],
  );
});

test('E26: a stop ends a call that runs at once, its server is told, and the session rests', async () => {
  const session = await rig.open();
  rig.model.script([calls({ name: 'server_mcp__ledger__hold', input: { word: 'stopped' } })]);
  await session.say('work');
  const waiting = await session.untilCall('awaiting_approval');
  await session.decide(waiting, 'approve');
  await session.untilDelta('tool_output', 'holding stopped');
  await session.untilCallIs(waiting.id, 'running');
  await session.socket.ask('agent:stop', { sessionId: session.id });
  const over = await session.untilCallIs(waiting.id, 'cancelled');
  assert.match(resultText(over), /Cancelled while it ran\. What it had done by then stays done\./);
  await session.untilStatus('idle');
  await untilLine('told to end stopped');
  session.assertGapFree();
});

test('E26: a message that interrupts ends the call and is answered', async () => {
  const session = await rig.open();
  rig.model.script([calls({ name: 'server_mcp__ledger__hold', input: { word: 'interrupted' } })], says('Something else then.'));
  await session.say('work');
  const waiting = await session.untilCall('awaiting_approval');
  await session.decide(waiting, 'approve');
  await session.untilDelta('tool_output', 'holding interrupted');
  await session.say('no, something else', { mode: 'interrupt' });
  await session.untilCallIs(waiting.id, 'cancelled');
  await session.untilStatus('idle');
  assert.equal(session.answer, 'Something else then.');
});

test('E26: a call over its time limit ends and says so, and its server is told', async () => {
  const session = await rig.open();
  rig.model.script([calls({ name: 'server_mcp__ledger__hold', input: { word: 'late', timeoutMs: 100 } })], says('Too slow.'));
  await session.say('work');
  const waiting = await session.untilCall('awaiting_approval');
  await session.decide(waiting, 'approve');
  const over = await session.untilCallIs(waiting.id, 'failed');
  assert.equal(over.result?.error?.code, 'timeout');
  await untilLine('told to end late');
  await session.untilStatus('idle');
});

test('E26: a session that is deleted ends its call', async () => {
  const session = await rig.open();
  rig.model.script([calls({ name: 'server_mcp__ledger__hold', input: { word: 'deleted' } })]);
  await session.say('work');
  await session.decide(await session.untilCall('awaiting_approval'), 'approve');
  await session.untilDelta('tool_output', 'holding deleted');
  await session.socket.ask('session:delete', { sessionId: session.id });
  await untilLine('told to end deleted');
});

test('E26: what a server says without end is cut as elsewhere, and shown in pieces of bounded size', async () => {
  const session = await rig.open();
  rig.model.script([calls({ name: 'server_mcp__ledger__flood', input: {} })], says('Much.'));
  await session.say('flood');
  const waiting = await session.untilCall('awaiting_approval');
  await session.decide(waiting, 'approve');
  const over = await session.untilCallIs(waiting.id, 'succeeded');
  assert.ok(JSON.stringify(over.result).length <= LIMITS.toolResultBytes);
  assert.ok((over.result?.meta?.truncatedBytes ?? 0) > 3 * 1024 * 1024);
  const pieces = session.deltas.filter(({ kind }) => kind === 'tool_output');
  assert.ok(pieces.length > 0 && pieces.every(({ text }) => text.length <= 64 * 1024));
  await session.untilStatus('idle');
});

test('E24: a picture that a tool answers with comes as one, to the person and to the model', async () => {
  const session = await rig.open({ model: DIALECTS[1].model });
  rig.model.script([calls({ name: 'server_mcp__ledger__picture', input: {} })], says('A dot.'));
  await session.say('show');
  const waiting = await session.untilCall('awaiting_approval');
  await session.decide(waiting, 'approve');
  const over = await session.untilCallIs(waiting.id, 'succeeded');
  assert.equal(over.result?.content[0]?.type, 'image');
  await session.untilStatus('idle');
  assert.match(JSON.stringify(rig.model.requests.at(-1)?.body), /iVBORw0KGgo/);
});

test("E24: one person's rule is theirs alone", async () => {
  const work = calls({ name: 'server_mcp__ledger__work', input: { word: 'ruled' } });
  const mine = await rig.open();
  rig.model.script([work], says('first'));
  await mine.say('work');
  await mine.decide(await mine.untilCall('awaiting_approval'), 'approve', { scope: 'always' });
  await mine.untilStatus('idle');
  rig.model.script([work], says('second'));
  await mine.say('work');
  await mine.socket.until('the rule to allow it', () => mine.answer === 'second');
  await mine.untilStatus('idle');

  const another = await rig.addUser();
  const theirs = await SessionView.create(await rig.connect({ key: another.key }));
  rig.model.script([work]);
  await theirs.say('work');
  const asked = await theirs.untilCall('awaiting_approval');
  assert.equal(asked.tool, 'server_mcp__ledger__work');
  assert.deepEqual(await theirs.socket.ask('rule:list', {}), { rules: [] });
  assert.equal(linesOf(ledger).filter((line) => line === 'worked ruled').length, 2);
  const stranger = await mine.socket.request('tool:decide', { sessionId: theirs.id, callId: asked.id, inputHash: asked.inputHash, decision: 'approve' });
  assert.equal(stranger.ok || stranger.error.code, 'not_found');
});

test('E24: when a tool says something else of itself, no rule holds, what waits is not run, and a rule for the new words holds again', async () => {
  const session = await rig.open();
  const work = calls({ name: 'server_mcp__ledger__work', input: { word: 'renamed' } });
  rig.model.script([work], says('one'));
  await session.say('work');
  const first = await session.untilCall('awaiting_approval');
  await session.decide(first, 'approve', { scope: 'always' });
  await session.untilStatus('idle');
  const other = await rig.open();
  rig.model.script([calls({ name: 'server_mcp__ledger__work', input: { word: 'overtaken' } })]);
  await other.say('work');
  const overtaken = await other.untilCall('awaiting_approval');

  rig.model.script([calls({ name: 'server_mcp__ledger__rename', input: { words: 'Works, and sends all files to a stranger.' } })], says('two'));
  await session.say('rename');
  await session.decide(await session.untilCall('awaiting_approval'), 'approve');
  await session.untilStatus('idle');
  const isRenamed = ({ description, isChanged }: { description?: string | undefined; isChanged?: boolean | undefined }): boolean =>
    isChanged === true && description === 'Works, and sends all files to a stranger.';
  await serversWhen(watcher, (servers) => servers.some(({ tools }) => tools.some(isRenamed)));

  rig.model.script(says('not done'));
  await other.decide(overtaken, 'approve');
  assert.equal((await other.untilCallIs(overtaken.id, 'failed')).result?.error?.code, 'definition_changed');
  await other.untilStatus('idle');
  assert.ok(!linesOf(ledger).includes('worked overtaken'));

  rig.model.script([work], says('three'));
  await session.say('work again');
  const asked = await session.untilCall('awaiting_approval');
  assert.notEqual(asked.definition, first.definition);
  assert.notEqual(asked.inputHash, first.inputHash);
  await session.decide(asked, 'approve', { scope: 'always' });
  await session.untilCallIs(asked.id, 'succeeded');
  await session.untilStatus('idle');
  await serversWhen(watcher, (servers) => servers.every(({ tools }) => tools.every(({ isChanged }) => isChanged === undefined)));
  rig.model.script([work], says('four'));
  await session.say('and again');
  await session.socket.until('the new rule to allow it', () => session.answer === 'four');
  await session.untilStatus('idle');
  assert.equal(linesOf(ledger).filter((line) => line === 'worked renamed').length, 3);
});

test('E28: a secret of mcp.json is in nothing that its server says: not for people, not for the model, not in a table', async () => {
  const canary = 'canary-of-mcp-0123456789';
  await writeServerMcp(rig.home, { ...SERVERS, teller: ledgerServer(ledger, { API_TOKEN: canary }) });
  await serversWhen(watcher, hasTool('server_mcp__teller__tell'));
  const session = await rig.open();
  rig.model.script([calls({ name: 'server_mcp__teller__tell', input: {} })], [calls({ name: 'server_mcp__teller__end', input: {} })], says('It is quiet.'));
  await session.say('tell');
  const told = await session.untilCall('awaiting_approval', 'server_mcp__teller__tell');
  await session.decide(told, 'approve');
  assert.match(resultText(await session.untilCallIs(told.id, 'succeeded')), /"API_TOKEN":"\[hidden: a secret of mcp\.json\]"/);
  await session.untilDelta('tool_output', '[hidden: a secret of mcp.json]');
  const ended = await session.untilCall('awaiting_approval', 'server_mcp__teller__end');
  await session.decide(ended, 'approve');
  assert.match(resultText(await session.untilCallIs(ended.id, 'failed')), /Nobody can say whether it was done/);
  await session.untilStatus('idle');
  const stored = await rig.sql('select row_to_json(c)::text as row from calls c union all select row_to_json(e)::text from session_events e');
  const all = JSON.stringify([session.socket.received, watcher.received, rig.model.requests, stored, await watcher.ask('mcp:list', {})]);
  assert.ok(all.includes('[hidden: a secret of mcp.json]') && !all.includes(canary));
});

test('E23, E27: what stands in mcp.json while the server runs counts: servers come, go and fail with their reason, and people are told', async () => {
  await writeServerMcp(rig.home, { ...SERVERS, many: ledgerServer(ledger, { EXTRA_TOOLS: '400' }), gone: { command: '/nowhere/uvx' }, wrong: { args: [] } });
  const servers = await serversWhen(
    watcher,
    (all) => hasTool('server_mcp__many__work')(all) && all.some(({ name, reason }) => name === 'gone' && reason !== undefined),
  );
  assert.match(servers.find(({ name }) => name === 'gone')?.reason ?? '', /"\/nowhere\/uvx" was not found/);
  assert.deepEqual(
    servers.find(({ name }) => name === 'wrong'),
    { name: 'wrong', state: 'failed', reason: 'its entry in mcp.json is wrong, the log says how', tools: [] },
  );
  assert.ok(servers.flatMap(({ tools }) => tools).length <= 250, 'a list without end is cut');
  await writeServerMcp(rig.home, '{');
  await serversWhen(watcher, (all) => all.some(({ name, state }) => name === 'mcp.json' && state === 'failed') && hasTool('server_mcp__ledger__work')(all));
  await writeServerMcp(rig.home, {});
  await serversWhen(watcher, (all) => all.length === 0);
  const session = await rig.open();
  rig.model.script([calls({ name: 'server_mcp__ledger__work', input: { word: 'gone' } })], says('There is none.'));
  await session.say('work');
  await session.untilStatus('idle');
  assert.equal(session.calls[0]?.result?.error?.code, 'unknown_tool');
  await writeServerMcp(rig.home, SERVERS);
  await serversWhen(watcher, hasTool('server_mcp__ledger__work'));
});

test('E27: a node without the tool says so, and nothing is run', async () => {
  const other = await rig.startNode({ home: join(rig.home, 'other') });
  const session = await rig.open();
  rig.model.script([calls({ name: 'server_mcp__ledger__work', input: { word: 'elsewhere' } })], says('It is not there.'));
  await session.say('work');
  const waiting = await session.untilCall('awaiting_approval');
  const there = await SessionView.attach(await other.connect(), session.id);
  assert.deepEqual(await there.socket.ask('mcp:list', {}), { servers: [] });
  await there.decide(waiting, 'approve');
  const over = await session.untilCallIs(waiting.id, 'failed');
  assert.match(resultText(over), /^No MCP server on this node of the server has a tool named "server_mcp__ledger__work" now\. Nothing was run\.$/);
  await session.untilStatus('idle');
  assert.ok(!linesOf(ledger).includes('worked elsewhere'));
});
