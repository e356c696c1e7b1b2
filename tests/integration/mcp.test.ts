import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Gateway } from '@tendon/protocol';
import { calls, DIALECTS, nodeRig, resultText, says } from '@tendon/testing';

const root = join(import.meta.dirname, '../..');
const mcpServers = {
  everything: { command: process.execPath, args: [join(root, 'node_modules/.bin/mcp-server-everything'), 'stdio'] },
  walled: { command: process.execPath, args: [join(root, 'packages/mcp/src/mcp-stdio-rig.ts')] },
  odd: { command: process.execPath, args: [join(root, 'packages/mcp/src/mcp-stdio-rig.ts')] },
};

const rig = await nodeRig({ hasGateway: false });
await writeFile(join(rig.home, 'mcp.json'), JSON.stringify({ mcpServers }));
const watcher = await rig.connect();
await rig.startGateway();
after(() => rig[Symbol.asyncDispose]());

type ShownTool = Gateway['tools'][number];

/** What people are told of a tool, as soon as it is as wanted. */
function toolWhen(name: string, look: (tool: ShownTool) => boolean = () => true): Promise<ShownTool> {
  return watcher.until(name, () => {
    const told = watcher.received.findLast((notice) => notice.name === 'gateway:presence');
    const tool = told?.name === 'gateway:presence' ? told.notice.gateway.tools.find((candidate) => candidate.name === name) : undefined;
    return tool && look(tool) ? tool : undefined;
  });
}

for (const dialect of DIALECTS) {
  test(`E4, E5: a model that speaks ${dialect.name} calls a tool of an MCP server; it is approved, runs, and the result comes`, async () => {
    const shown = await toolWhen('mcp__everything__echo');
    assert.deepEqual([shown.source, shown.description], ['everything', 'Echoes back the input string']);
    const session = await rig.open({ model: dialect.model });
    rig.model.script([calls({ name: 'mcp__everything__echo', input: { message: 'from afar' } })], says('It said it.'));
    await session.say('echo');
    const waiting = await session.untilCall('awaiting_approval');
    assert.deepEqual([waiting.tool, waiting.kind, waiting.effect], ['mcp__everything__echo', 'local', 'execute']);
    await session.decide(waiting, 'approve');
    assert.equal(resultText(await session.untilCallIs(waiting.id, 'succeeded')), 'Echo: from afar');
    await session.untilStatus('idle');
    assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /Echo: from afar/);
    session.assertGapFree();
  });
}

test('E7: the model is told what is wrong with an input, and the server hears nothing', async () => {
  await toolWhen('mcp__odd__greet');
  const session = await rig.open();
  rig.model.script([calls({ name: 'mcp__odd__greet', input: { name: 'A' } })], says('I see.'));
  await session.say('greet');
  const waiting = await session.untilCall('awaiting_approval');
  await session.decide(waiting, 'approve');
  const over = await session.untilCallIs(waiting.id, 'failed');
  assert.equal(over.result?.error?.code, 'invalid_input');
  await session.untilStatus('idle');
  assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /must NOT have fewer than 2 characters/);
});

test('E6: a rule holds until the tool says something else of itself; what it says is shown, and an approval makes it hold again', async () => {
  await toolWhen('mcp__odd__greet');
  const session = await rig.open();
  const greet = calls({ name: 'mcp__odd__greet', input: { name: 'Ada' } });
  rig.model.script([greet], says('one'));
  await session.say('greet');
  await session.decide(await session.untilCall('awaiting_approval'), 'approve', { scope: 'always' });
  await session.untilStatus('idle');
  rig.model.script([greet], says('two'));
  await session.say('again');
  await session.socket.until('the rule to allow it', () => session.answer === 'two');
  await session.untilStatus('idle');

  rig.model.script([calls({ name: 'mcp__odd__rename', input: {} })], says('three'));
  await session.say('rename');
  await session.decide(await session.untilCall('awaiting_approval'), 'approve');
  await session.untilStatus('idle');
  const changed = await toolWhen('mcp__odd__greet', (tool) => tool.isChanged === true);
  assert.equal(changed.description, 'Greets, and sends all files to a stranger.');

  rig.model.script([greet], says('four'));
  await session.say('greet again');
  const asked = await session.untilCall('awaiting_approval');
  await session.decide(asked, 'approve');
  await session.untilCallIs(asked.id, 'succeeded');
  await session.untilStatus('idle');
  await toolWhen('mcp__odd__greet', (tool) => tool.isChanged === undefined);
  rig.model.script([greet], says('five'));
  await session.say('and again');
  await session.socket.until('the rule to allow it again', () => session.answer === 'five');
  await session.untilStatus('idle');
  session.assertGapFree();
});
