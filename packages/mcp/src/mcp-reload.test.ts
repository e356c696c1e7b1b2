import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { identify } from '@tendon/system';
import { cancelled, type McpBench, ODD_SERVER, openMcpBench, textOf } from './mcp-rig.ts';

const isAlive = async (pid: number): Promise<boolean> => (await identify(pid)) !== undefined;
const numberOf = async (bench: McpBench, tool: string): Promise<number> => Number(textOf(await bench.run(tool, {})));
const saying = (word: string) => ({ ...ODD_SERVER, env: { WORD: word } });
const wordOf = async (bench: McpBench): Promise<unknown> => {
  const result = await bench.run('mcp__odd__environment', {});
  return result.status === 'succeeded' ? JSON.parse(textOf(result))['WORD'] : undefined;
};

test('E16: of a changed mcp.json the new server starts, the old one ends whole, the changed one is another, and the untouched one keeps its call', async () => {
  await using bench = await openMcpBench({ stays: ODD_SERVER, gone: ODD_SERVER, changes: ODD_SERVER });
  for (const name of ['stays', 'gone', 'changes']) await bench.announced(`mcp__${name}__pid`);
  const [stays, gone, changes] = [
    await numberOf(bench, 'mcp__stays__pid'),
    await numberOf(bench, 'mcp__gone__pid'),
    await numberOf(bench, 'mcp__changes__pid'),
  ];
  const child = await numberOf(bench, 'mcp__gone__child');
  const abort = new AbortController();
  const running = bench.run('mcp__stays__dawdle', {}, { abort });
  const ended = bench.run('mcp__gone__dawdle', {});
  while ((await numberOf(bench, 'mcp__gone__begun')) < 1 || (await numberOf(bench, 'mcp__stays__begun')) < 1);

  await bench.write({ stays: ODD_SERVER, changes: saying('new'), fresh: ODD_SERVER });
  const line = await bench.logged(/mcp\.json was read again/);
  assert.match(line, /read again: added fresh; removed gone; changed changes/);
  const result = await ended;
  assert.equal(result.error?.code, 'mcp_failed');
  assert.match(result.error?.message ?? '', /was ended while this ran: it was taken out of mcp\.json\. Nobody can say/);
  await bench.announced('mcp__fresh__pid');
  await bench.announced('mcp__changes__pid');
  assert.deepEqual(await Promise.all([gone, child, changes].map(isAlive)), [false, false, false]);
  assert.notEqual(await numberOf(bench, 'mcp__changes__pid'), changes);
  assert.equal(await numberOf(bench, 'mcp__stays__pid'), stays);
  assert.ok(bench.host.announced.every(({ source }) => source !== 'gone'));
  assert.equal(await numberOf(bench, 'mcp__stays__cancelled'), 0, 'its call goes on');
  abort.abort(cancelled);
  assert.equal((await running).status, 'cancelled');
});

test('E16: a file without servers, or none, ends them, and one that comes later starts them', async () => {
  await using bench = await openMcpBench('{}');
  await bench.write({ odd: saying('first') });
  await bench.announced('mcp__odd__pid');
  const pid = await numberOf(bench, 'mcp__odd__pid');
  const { call } = ready(bench);
  await bench.write({ odd: { ...ODD_SERVER, disabled: true } });
  await bench.logged(/read again: .*removed odd/);
  assert.deepEqual(bench.host.announced, []);
  const late = await call();
  assert.match(late.error?.message ?? '', /has ended, so nothing was done: it was taken out of mcp\.json\.$/);
  await bench.write({ odd: saying('second') });
  await bench.announced('mcp__odd__environment');
  assert.equal(await wordOf(bench), 'second');
  assert.equal(await isAlive(pid), false, 'the one before has ended first');
});

/** A call that was prepared before its server went. */
function ready(bench: McpBench) {
  const prepared = bench.host.prepare('mcp__odd__pid', {});
  assert.ok(prepared.ok);
  const context = { signal: new AbortController().signal, onOutput: () => undefined };
  return { call: () => prepared.call.run(context as unknown as Parameters<typeof prepared.call.run>[0]) };
}

test('E16: entries that change again while their server ends leave the last one, alone', async () => {
  await using bench = await openMcpBench({ odd: saying('a') });
  await bench.announced('mcp__odd__child');
  await numberOf(bench, 'mcp__odd__child');
  await bench.write({ odd: saying('b') });
  await bench.logged(/read again: .*changed odd/);
  await bench.write({ odd: saying('c') });
  await bench.announced('mcp__odd__environment');
  while ((await wordOf(bench).catch(() => undefined)) !== 'c') await new Promise(setImmediate);
  const rows = JSON.parse(await readFile(join(bench.base, 'processes.json'), 'utf8')) as unknown[];
  assert.equal(rows.length, 1);
});

test('E17: a broken file ends nothing and says what is wrong in one line; an entry that cannot be read keeps the server of its name', async () => {
  await using bench = await openMcpBench({ odd: ODD_SERVER, other: ODD_SERVER });
  await bench.announced('mcp__odd__pid');
  await bench.announced('mcp__other__pid');
  const pid = await numberOf(bench, 'mcp__odd__pid');
  const other = await numberOf(bench, 'mcp__other__pid');
  await bench.write('{ "mcpServers": { "odd": ');
  assert.match(await bench.logged(/is not JSON/), /Mend it: the gateway reads it again by itself\. Until then what runs goes on as it was\./);
  assert.equal(await numberOf(bench, 'mcp__odd__pid'), pid);

  await bench.write({ odd: { command: 7 }, bad: { command: 8 }, fresh: ODD_SERVER });
  await bench.announced('mcp__fresh__pid');
  assert.equal(await numberOf(bench, 'mcp__odd__pid'), pid);
  await bench.logged(/mcpServers\.bad\.command is wrong/);
  assert.equal(bench.lines.filter((line) => line.includes('mcpServers.odd.command is wrong')).length, 1);
  assert.equal(bench.lines.filter((line) => line.includes('is not JSON')).length, 1);
  while (await isAlive(other)) await new Promise(setImmediate);

  await bench.write({ odd: saying('mended') });
  await bench.logged(/read again: .*changed odd/);
  await bench.announced('mcp__odd__environment');
  assert.equal(await wordOf(bench), 'mended');
});

test('E3, E16: a gateway that closes while servers of a changed file end leaves none', async () => {
  await using bench = await openMcpBench({ odd: ODD_SERVER });
  await bench.announced('mcp__odd__child');
  const pids = [await numberOf(bench, 'mcp__odd__pid'), await numberOf(bench, 'mcp__odd__child')];
  await bench.write({ odd: saying('b'), more: ODD_SERVER });
  await bench.logged(/was read again/);
  await bench.host.close();
  assert.deepEqual(await Promise.all(pids.map(isAlive)), [false, false]);
  assert.deepEqual(JSON.parse(await readFile(join(bench.base, 'processes.json'), 'utf8')), []);
});
