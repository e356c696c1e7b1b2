import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Grant } from '@tendon/protocol';
import { identify } from '@tendon/system';
import { cancelled, type EndReason, EVERYTHING_SERVER, filesystemServer, type McpBench, ODD_SERVER, openMcpBench, textOf } from './mcp-rig.ts';

const isAlive = async (pid: number): Promise<boolean> => (await identify(pid)) !== undefined;
const numberOf = async (bench: McpBench, tool: string): Promise<number> => Number(textOf(await bench.run(`mcp__odd__${tool}`, {})));

test('E4, E5, E8: the tools of server-everything are announced and run', async () => {
  await using bench = await openMcpBench({ everything: EVERYTHING_SERVER });
  const echo = await bench.announced('mcp__everything__echo');
  assert.deepEqual([echo.effect, echo.source, echo.title], ['execute', 'everything', 'Echo Tool']);
  assert.equal(textOf(await bench.run('mcp__everything__echo', { message: 'hi' })), 'Echo: hi');
  const image = await bench.run('mcp__everything__get-tiny-image', {});
  assert.deepEqual(
    image.content.map(({ type }) => type),
    ['text', 'image', 'text'],
  );
  const links = await bench.run('mcp__everything__get-resource-links', { count: 2 });
  assert.match(textOf(links), /\[Resource demo:/);
  assert.equal((await bench.run('mcp__everything__get-resource-reference', { resourceType: 'Text', resourceId: 1 })).content[1]?.type, 'resource');
  const live: string[] = [];
  const long = await bench.run('mcp__everything__trigger-long-running-operation', { duration: 0.2, steps: 2 }, { onOutput: (text) => live.push(text) });
  assert.equal(long.status, 'succeeded');
  assert.match(live.join(''), /^1\/2/, 'progress is live output');
});

test('E8: server-filesystem reads inside its folder; an error of a tool fails the call with its words', async () => {
  await using bench = await openMcpBench({});
  await writeFile(join(bench.base, 'work', 'poem.txt'), 'roses are red');
  await using again = await bench.reopen({ files: filesystemServer(bench.workspace) });
  await again.announced('mcp__files__read_text_file');
  assert.equal(textOf(await again.run('mcp__files__read_text_file', { path: join(bench.workspace, 'poem.txt') })), 'roses are red');
  const outside = await again.run('mcp__files__read_text_file', { path: '/etc/hostname' });
  assert.equal(outside.status, 'failed');
  assert.match(outside.error?.message ?? '', /access denied/i);
});

test('E8: each kind of piece has a form, and structure without text is text', async () => {
  await using bench = await openMcpBench({ odd: ODD_SERVER });
  const { name } = await bench.announced('mcp__odd__many_kinds_d7c5ed');
  const { content } = await bench.run(name, {});
  assert.deepEqual(content, [
    { type: 'image', data: 'aGk=', mimeType: 'image/png' },
    { type: 'text', text: '[Audio of 4 bytes in base64 (audio/wav) was left out.]' },
    { type: 'text', text: '[Resource file:///a, a: the first]' },
    { type: 'resource', resource: { uri: 'file:///b', text: 'b' } },
  ]);
  assert.deepEqual(JSON.parse(textOf(await bench.run('mcp__odd__structured', {}))), { sum: 3 });
});

test('E5, E7: a hint to be read only counts for nothing; a wrong input is refused with what is wrong', async () => {
  await using bench = await openMcpBench({ odd: ODD_SERVER });
  assert.equal((await bench.announced('mcp__odd__greet')).effect, 'execute');
  const prepared = bench.host.prepare('mcp__odd__greet', { name: 'Ada' });
  assert.ok(prepared.ok);
  assert.equal(prepared.call.effect, 'execute');
  for (const [input, says] of [
    ...[{}, { names: 'Ada' }, { Name: 'Ada' }].map((input) => [input, /required property 'name'/] as const),
    ...[{ name: 'A' }, { name: '' }].map((input) => [input, /fewer than 2 characters/] as const),
    ...[{ name: 7 }, { name: null }, { name: ['Ada'] }, { name: {} }, { name: true }].map((input) => [input, /name must be string/] as const),
    ...[null, undefined, [], 'Ada', '{"name":"Ada"}', 7].map((input) => [input, /must be object/] as const),
  ] as const) {
    const refused = bench.host.prepare('mcp__odd__greet', input);
    assert.ok(!refused.ok);
    assert.equal(refused.code, 'invalid_input');
    assert.match(refused.message, says);
  }
  const unknown = bench.host.prepare('mcp__odd__none', {});
  assert.ok(!unknown.ok && unknown.code === 'unknown_tool');
  assert.match(unknown.message, /They have: .*mcp__odd__greet/);
});

test('E3: a server has a clean environment, what mcp.json adds, and the workspace as its folder', async () => {
  process.env['TENDON_SECRET_FOR_TEST'] = 'x';
  await using bench = await openMcpBench({ odd: { ...ODD_SERVER, env: { ADDED: 'yes', TENDON_CALL_ID: 'forged' } } });
  delete process.env['TENDON_SECRET_FOR_TEST'];
  await bench.announced('mcp__odd__environment');
  const environment = JSON.parse(textOf(await bench.run('mcp__odd__environment', {}))) as Record<string, string>;
  assert.equal(environment['ADDED'], 'yes');
  assert.deepEqual(
    Object.keys(environment).filter((name) => name.startsWith('TENDON_')),
    ['TENDON_CALL_ID'],
  );
  assert.match(environment['TENDON_CALL_ID'] ?? '', /^mcp-/);
  assert.equal(textOf(await bench.run('mcp__odd__folder', {})), await realpath(bench.workspace));
});

test('E3: closing ends the server and a child that ignores TERM, and may be done twice', async () => {
  await using bench = await openMcpBench({ odd: ODD_SERVER });
  await bench.announced('mcp__odd__child');
  const pids = [await numberOf(bench, 'pid'), await numberOf(bench, 'child')];
  assert.deepEqual(await Promise.all(pids.map(isAlive)), [true, true]);
  await bench.host.close();
  await bench.host.close();
  assert.deepEqual(await Promise.all(pids.map(isAlive)), [false, false]);
});

test('E3, E9: a server that crashes in a call fails it, takes its children along, and is started again', async () => {
  await using bench = await openMcpBench({ odd: ODD_SERVER });
  await bench.announced('mcp__odd__crash');
  const child = await numberOf(bench, 'child');
  const before = await numberOf(bench, 'pid');
  const crashed = await bench.run('mcp__odd__crash', {});
  assert.deepEqual([crashed.status, crashed.error?.code], ['failed', 'mcp_failed']);
  assert.match(crashed.error?.message ?? '', /ended while this ran \(it ended with exit code 3; it last wrote: the odd server was here\).*Nobody can say/s);
  assert.equal(await isAlive(child), false);
  const readies = () => bench.lines.filter((line) => line.includes('is ready')).length;
  await bench.logged(/exit code 3/);
  while (readies() < 2) await bench.logged(/is ready/).then(() => new Promise(setImmediate));
  assert.notEqual(await numberOf(bench, 'pid'), before);
  assert.ok(
    bench.host.announced.some(({ name }) => name === 'mcp__odd__crash'),
    'its tools stayed announced',
  );
});

/** A gateway's part that runs a server which has left a child, until it is killed. */
const RUNS_ODD = `
const { openMcpBench, ODD_SERVER } = await import(process.argv[1]);
const bench = await openMcpBench({ odd: ODD_SERVER }, { at: process.argv[2] });
await bench.announced('mcp__odd__child');
const { content: [{ text }] } = await bench.run('mcp__odd__child', {});
process.stdout.write(text + '\\n');
`;

test('E3: what a gateway that was killed has left is ended by the next one', async () => {
  await using bench = await openMcpBench({});
  await bench.host.close();
  const script = ['--input-type=module', '-e', RUNS_ODD, join(import.meta.dirname, 'mcp-rig.ts'), bench.base];
  const doomed = spawn(process.execPath, script, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(doomed.stdout, 'data')) as [Buffer];
  const child = Number(line.toString('utf8'));
  doomed.kill('SIGKILL');
  await once(doomed, 'exit');
  assert.equal(await isAlive(child), true);
  await using again = await bench.reopen({});
  assert.equal(await isAlive(child), false);
  assert.deepEqual(again.host.announced, []);
});

test('E10: a cancelled call and one over its time end at once, and the server is told', async () => {
  await using bench = await openMcpBench({ odd: ODD_SERVER });
  await bench.announced('mcp__odd__dawdle');
  const reasons: [EndReason, string, string][] = [
    [cancelled, 'cancelled', 'Cancelled while it ran.'],
    [{ kind: 'timeout', limitMs: 50 }, 'failed', 'The MCP server did not answer within 50 ms'],
  ];
  for (const [index, [reason, status, says]] of reasons.entries()) {
    const abort = new AbortController();
    const running = bench.run('mcp__odd__dawdle', {}, { abort });
    while ((await numberOf(bench, 'begun')) <= index);
    abort.abort(reason);
    const result = await running;
    assert.equal(result.status, status);
    assert.ok(textOf(result).startsWith(says), textOf(result));
    while ((await numberOf(bench, 'cancelled')) <= index);
  }
});

test('E6: a changed description is announced as changed, no rule allows it, and an approval pins it', async () => {
  await using bench = await openMcpBench({ odd: ODD_SERVER });
  const first = await bench.announced('mcp__odd__greet');
  assert.equal(first.isChanged, undefined);
  const earlier: Grant = { by: 'user', decidedBy: 'me', at: new Date(Date.now() - 1_000).toISOString() };
  await bench.run('mcp__odd__rename', {});
  const changed = await bench.announced('mcp__odd__greet', (tool) => tool.isChanged === true);
  assert.match(changed.description, /stranger/);
  const refusalOf = (grant: Grant) => {
    const prepared = bench.host.prepare('mcp__odd__greet', { name: 'Ada' });
    assert.ok(prepared.ok);
    return prepared.call.refusalOf?.(grant)?.code;
  };
  assert.equal(refusalOf({ by: 'policy', rule: 'rule', at: new Date(Date.now() + 1_000).toISOString() }), 'approval_needed');
  assert.equal(refusalOf(earlier), 'definition_changed');
  const now: Grant = { by: 'user', decidedBy: 'me', at: new Date(Date.now() + 1_000).toISOString() };
  assert.equal(refusalOf(now), undefined);
  assert.equal(textOf(await bench.run('mcp__odd__greet', { name: 'Ada' })), 'hello Ada');
  await bench.announced('mcp__odd__greet', (tool) => tool.isChanged === undefined);
  assert.equal(refusalOf({ by: 'policy', rule: 'rule', at: now.at }), undefined);
  // The next process says what it said at first: that is another change.
  await using again = await bench.reopen();
  assert.equal((await again.announced('mcp__odd__greet')).isChanged, true);
});

test('E6: a file of pins that cannot be read makes every tool a changed one', async () => {
  await using bench = await openMcpBench({});
  await writeFile(join(bench.base, 'pins.json'), '{"version":');
  await using again = await bench.reopen({ odd: ODD_SERVER });
  assert.equal((await again.announced('mcp__odd__greet')).isChanged, true);
});

test('E6: a description that changed while the gateway was away is found at the next start', async () => {
  await using bench = await openMcpBench({});
  const words = join(bench.base, 'words.txt');
  const odd = { ...ODD_SERVER, env: { GREET_WORDS: words } };
  await writeFile(words, 'Greets.');
  await using before = await bench.reopen({ odd });
  assert.equal((await before.announced('mcp__odd__greet')).isChanged, undefined);
  await writeFile(words, 'Greets, and more.');
  await using after = await before.reopen({ odd });
  assert.deepEqual((await after.announced('mcp__odd__greet')).isChanged, true);
  assert.equal((await after.announced('mcp__odd__pid')).isChanged, undefined);
});

test('E9, E12: a command that is not there is named with what installs it; other servers run', async () => {
  await using bench = await openMcpBench({
    files: { command: '/nowhere/npx', args: ['-y', 'x'] },
    other: { command: 'no-such-server' },
    dies: { command: 'bash', args: ['-c', 'echo no key >&2; exit 4'] },
    odd: ODD_SERVER,
  });
  assert.match(await bench.logged(/\\"?\/nowhere\/npx/), /was not found\. Install Node\.js: .*apt install nodejs npm/);
  assert.match(await bench.logged(/no-such-server/), /Install \\"no-such-server\\", or give the full path/);
  assert.match(await bench.logged(/exit code 4/), /it last wrote: no key/);
  await bench.announced('mcp__odd__greet');
});

test('E12: of a folder and a command the one that is missing is named, and a command of several words with where the others belong', async () => {
  const base = await mkdtemp(join(tmpdir(), 'tendon missing '));
  const script = join(base, 'script');
  await writeFile(script, '#!/nowhere/interpreter\n', { mode: 0o755 });
  await using bench = await openMcpBench({
    folder: { command: 'ls', cwd: '/nope' },
    file: { command: 'ls', cwd: script },
    program: { command: 'no-such-server', cwd: base },
    line: { command: 'npx -y hunter2' },
    script: { command: script },
  });
  const said = async (server: string) => (JSON.parse(await bench.logged(new RegExp(`"${server}\\\\" does not run`))) as { reason: string }).reason;
  assert.equal(await said('folder'), 'its folder "/nope" is not there. Make it, or name another one in "cwd" of mcp.json');
  assert.match(await said('file'), /its folder ".*script" is a file\. Name a folder in "cwd"/);
  assert.match(await said('program'), /^the command "no-such-server" was not found\. Install "no-such-server"/);
  const line = await said('line');
  assert.match(line, /leave "command": "npx" and put the words after the first into "args"/);
  assert.doesNotMatch(line, /hunter2|Install/);
  assert.match(await said('script'), /is there, but not the program that its first line names/);
  await rm(base, { recursive: true });
});

test('E13: resources and prompts are listed and read by the name of their server', async () => {
  await using bench = await openMcpBench({ everything: EVERYTHING_SERVER, odd: ODD_SERVER });
  await bench.announced('mcp__odd__greet');
  assert.match((await bench.announced('mcp_list_resources')).description, /Servers: "everything"\.$/);
  const listed = JSON.parse(textOf(await bench.run('mcp_list_resources', { server: 'everything' }))) as { resources: { uri: string }[] };
  const [first] = listed.resources;
  assert.ok(first);
  const read = await bench.run('mcp_read_resource', { server: 'everything', uri: first.uri });
  assert.deepEqual([read.status, read.content[0]?.type], ['succeeded', 'resource']);
  assert.match(textOf(await bench.run('mcp_list_prompts', { server: 'everything' })), /simple-prompt/);
  const prompt = await bench.run('mcp_get_prompt', { server: 'everything', name: 'args-prompt', arguments: { city: 'Paris' } });
  assert.match(textOf(prompt), /^\[user\].*Paris/s);
  const wrong = await bench.run('mcp_read_resource', { server: 'everything', uri: 'nowhere://x' });
  assert.equal(wrong.error?.code, 'mcp_failed');
  const NO_OBJECT = [undefined, null, [], 'everything', '{}', 7, {}];
  const NO_SERVER = ['', 7, null, ['everything'], 'x'.repeat(1_001)].map((server) => ({ server, uri: 'x://y', name: 'simple-prompt' }));
  const table: Record<string, readonly unknown[]> = {
    mcp_list_resources: [...NO_OBJECT, ...NO_SERVER, { server: 'everything', cursor: 7 }],
    mcp_read_resource: [...NO_OBJECT, ...NO_SERVER, { server: 'everything' }, { server: 'everything', uri: '' }, { server: 'everything', uri: 7 }],
    mcp_list_prompts: [...NO_OBJECT, ...NO_SERVER, { server: 'everything', cursor: null }],
    mcp_get_prompt: [...NO_OBJECT, ...NO_SERVER, { server: 'everything' }, { server: 'everything', name: 'simple-prompt', arguments: 'Paris' }],
  };
  for (const [tool, inputs] of Object.entries(table))
    for (const input of inputs) {
      const answer = bench.host.prepare(tool, input);
      assert.ok(!answer.ok && answer.code === 'invalid_input', `${tool} ${JSON.stringify(input)?.slice(0, 80)}`);
      assert.match(answer.message, new RegExp(`^The input of ${tool} is wrong: .*\\b(server|uri|cursor|name|arguments|object)\\b`));
    }
  const refused = bench.host.prepare('mcp_read_resource', { server: 'odd', uri: 'x://y' });
  assert.ok(!refused.ok);
  assert.match(refused.message, /No MCP server named "odd" has resources\. These have: "everything"/);
});
