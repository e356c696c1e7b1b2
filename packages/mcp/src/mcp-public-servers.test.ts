import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { EVERYTHING_SERVER, filesystemServer, type McpBench, openMcpBench, textOf } from './mcp-rig.ts';

/** The process that was started for the only server of mcp.json. */
async function pidOf(bench: McpBench): Promise<number> {
  const [row] = JSON.parse(await readFile(join(bench.base, 'processes.json'), 'utf8')) as { leader?: { pid: number } }[];
  assert.ok(row?.leader);
  return row.leader.pid;
}

async function isBack(bench: McpBench): Promise<void> {
  while (bench.lines.filter((line) => line.includes('is ready')).length < 2) await new Promise(setImmediate);
}

test('E9: server-everything, killed in the middle of a call, fails it, and is back with its tools, resources and prompts', async () => {
  await using bench = await openMcpBench({ everything: EVERYTHING_SERVER });
  await bench.announced('mcp__everything__trigger-long-running-operation');
  const begun = Promise.withResolvers<void>();
  const running = bench.run('mcp__everything__trigger-long-running-operation', { duration: 60, steps: 300 }, { onOutput: () => begun.resolve() });
  await begun.promise;
  process.kill(await pidOf(bench), 'SIGKILL');
  const failed = await running;
  assert.equal(failed.error?.code, 'mcp_failed');
  assert.match(failed.error?.message ?? '', /ended while this ran \(it was ended by SIGKILL.*Nobody can say/s);
  await isBack(bench);
  assert.equal(textOf(await bench.run('mcp__everything__echo', { message: 'back' })), 'Echo: back');
  assert.match(textOf(await bench.run('mcp_list_resources', { server: 'everything' })), /demo:/);
  assert.match(textOf(await bench.run('mcp_list_prompts', { server: 'everything' })), /args-prompt/);
});

test('E4, E13: tools and resources that server-everything adds after its greeting are there', async () => {
  await using bench = await openMcpBench({ everything: EVERYTHING_SERVER });
  await bench.announced('mcp__everything__simulate-research-query');
  const data = `data:text/plain;base64,${Buffer.from('pack me').toString('base64')}`;
  const packed = await bench.run('mcp__everything__gzip-file-as-resource', { name: 'packed.gz', data, outputType: 'resourceLink' });
  assert.equal(packed.status, 'succeeded', textOf(packed));
  const listed = textOf(await bench.run('mcp_list_resources', { server: 'everything' }));
  const { resources } = JSON.parse(listed) as { resources: { uri: string; name: string }[] };
  const added = resources.find(({ name }) => name === 'packed.gz');
  assert.ok(added, listed);
  const read = await bench.run('mcp_read_resource', { server: 'everything', uri: added.uri });
  assert.equal(read.content[0]?.type, 'resource');
});

test('E9, E16: server-filesystem writes and edits, is back after a kill, and has another folder when mcp.json says so', async () => {
  await using bench = await openMcpBench('{}');
  const other = join(bench.base, 'other');
  await mkdir(other);
  await writeFile(join(other, 'here.txt'), 'elsewhere');
  await bench.write({ files: filesystemServer(bench.workspace) });
  await bench.announced('mcp__files__edit_file');
  const path = join(bench.workspace, 'poem.txt');
  assert.equal((await bench.run('mcp__files__write_file', { path, content: 'roses are red' })).status, 'succeeded');
  assert.equal((await bench.run('mcp__files__edit_file', { path, edits: [{ oldText: 'red', newText: 'blue' }] })).status, 'succeeded');
  assert.equal(await readFile(path, 'utf8'), 'roses are blue');
  assert.ok(!bench.host.announced.some(({ name }) => name === 'mcp_list_resources'), 'it has none');

  process.kill(await pidOf(bench), 'SIGKILL');
  await isBack(bench);
  assert.equal(textOf(await bench.run('mcp__files__read_text_file', { path })), 'roses are blue');

  await bench.write({ files: filesystemServer(other) });
  await bench.logged(/read again: changed files/);
  await bench.announced('mcp__files__read_text_file');
  assert.equal(textOf(await bench.run('mcp__files__read_text_file', { path: join(other, 'here.txt') })), 'elsewhere');
  assert.equal((await bench.run('mcp__files__read_text_file', { path })).status, 'failed');
});
