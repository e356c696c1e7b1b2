import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { findCallProcesses, identify } from '@tendon/system';
import { commandFor, startServerDouble } from '@tendon/testing';
import { pino } from 'pino';
import { v7 as newId } from 'uuid';
import { startGateway } from '../index.ts';
import { Journal } from './journal.ts';
import { settleLeftovers } from './leftovers.ts';

const log = pino({ level: 'silent' });

async function folders(): Promise<{ base: string; work: string; home: string } & AsyncDisposable> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'tendon crash ')));
  const work = join(base, 'work');
  await mkdir(work);
  return { base, work, home: join(base, 'home'), [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }) };
}

async function untilTrue(isTrue: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 20_000; !(await isTrue()); await delay(20)) assert.ok(performance.now() < deadline);
}

/** A gateway in a process of its own, so that it can be killed as a whole. */
function spawnGateway(options: { serverUrl: string; home: string; workspaces: string[] }): ChildProcess {
  const program = `
    import { pino } from 'pino';
    import { startGateway } from ${JSON.stringify(new URL('../index.ts', import.meta.url).href)};
    const options = JSON.parse(process.env.GATEWAY_OPTIONS);
    await startGateway({ ...options, token: 'key', name: 'crashing', version: '0', log: pino({ level: 'silent' }), random: () => 0.01 });`;
  return spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: new URL('..', import.meta.url),
    env: { ...process.env, GATEWAY_OPTIONS: JSON.stringify(options) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

test('G16: killed in mid-command: unknown after the restart, not run twice, and nothing of it is left', async () => {
  await using place = await folders();
  await using server = await startServerDouble();
  const options = { serverUrl: server.url, home: place.home, workspaces: [place.work] };
  const first = spawnGateway(options);
  await server.until(() => server.hellos.length === 1);
  const command = commandFor(server.hellos[0], {
    tool: 'bash',
    input: { command: 'echo start >> ledger; setsid sleep 600 & trap "" TERM; echo ready; while :; do sleep 0.1; done' },
  });
  await server.emit('tool:call', command);
  const finished = commandFor(server.hellos[0], { tool: 'write_file', input: { path: 'done', content: '' } });
  await server.emit('tool:call', finished);
  await server.until(() => server.results.has(finished.callId));
  await server.until(() => server.outputs.some((output) => output.text.includes('ready')));
  const leaderLines = (await readFile(join(place.home, 'gateway', 'crashing', 'journal'), 'utf8')).split('\n').filter((line) => line.includes('"running"'));
  const { leader } = JSON.parse(leaderLines[0] ?? '{}');
  const exit = once(first, 'exit');
  first.kill('SIGKILL');
  await exit;
  assert.ok((await findCallProcesses({ callId: command.callId, leader })).length >= 2, 'the command outlived its gateway');

  const second = await startGateway({ ...options, token: 'key', name: 'crashing', version: '0', log });
  await second.ready();
  const hello = server.hellos.at(-1);
  assert.equal(hello?.instanceId, server.hellos[0]?.instanceId);
  const reported = hello?.calls.find((call) => call.callId === command.callId);
  assert.deepEqual([reported?.state, reported?.result?.status], ['unknown', 'unknown']);
  assert.deepEqual(await findCallProcesses({ callId: command.callId, leader }), []);
  assert.deepEqual(await server.emit('tool:call', command), { accepted: true });
  await server.until(() => server.results.has(command.callId));
  assert.equal(server.results.get(command.callId)?.[0]?.status, 'unknown');
  assert.equal(await readFile(join(place.work, 'ledger'), 'utf8'), 'start\n');
  await second.close();
});

test('G16: killed after the result was written down, before it was acknowledged: the result is reported', async () => {
  await using place = await folders();
  await using server = await startServerDouble({ result: () => 'silent' });
  const options = { serverUrl: server.url, home: place.home, workspaces: [place.work] };
  const first = spawnGateway(options);
  await server.until(() => server.hellos.length === 1);
  const command = commandFor(server.hellos[0], { tool: 'bash', input: { command: 'echo once | tee -a ledger' } });
  await server.emit('tool:call', command);
  await server.until(() => server.results.has(command.callId));
  const exit = once(first, 'exit');
  first.kill('SIGKILL');
  await exit;
  const second = await startGateway({ ...options, token: 'key', name: 'crashing', version: '0', log });
  await second.ready();
  const reported = server.hellos.at(-1)?.calls[0];
  assert.deepEqual([reported?.callId, reported?.state, reported?.result?.content], [command.callId, 'finished', [{ type: 'text', text: 'once\n' }]]);
  assert.equal(await readFile(join(place.work, 'ledger'), 'utf8'), 'once\n');
  await second.close();
});

for (const mode of ['off', 'auto'])
  test(`G16, G43: killed with commands in the background, the next start ends them, detached ones too (sandbox: ${mode})`, async () => {
    await using place = await folders();
    await using server = await startServerDouble();
    await mkdir(place.home);
    await writeFile(join(place.home, 'gateway-policy.json'), JSON.stringify({ version: 1, rules: [], sandbox: { mode } }));
    const options = { serverUrl: server.url, home: place.home, workspaces: [place.work] };
    const first = spawnGateway(options);
    await server.until(() => server.hellos.length === 1);
    const sessionId = newId();
    const start = async (input: Record<string, unknown>): Promise<string> => {
      const command = { ...commandFor(server.hellos[0], { tool: 'bash', input }), sessionId };
      await server.emit('tool:call', command);
      await server.until(() => server.results.has(command.callId));
      assert.equal(server.results.get(command.callId)?.[0]?.meta?.background, true, JSON.stringify(input));
      return command.callId;
    };
    const left = await start({ command: 'sleep 600 & setsid sh -c "trap : TERM; while :; do sleep 1; done" & echo left' });
    const meant = await start({ command: 'setsid sleep 600 & exec sleep 600', background: true });
    const isOver = await start({ command: 'while [ ! -e go ]; do sleep 0.05; done & echo left' });
    await writeFile(join(place.work, 'go'), '');
    const alive = (): Promise<number[]>[] => [left, meant, isOver].map((callId) => findCallProcesses({ callId, leader: undefined }));
    const book = join(place.home, 'gateway', 'crashing', 'processes.json');
    const noted = async (): Promise<string[]> => JSON.parse(await readFile(book, 'utf8')).map(({ marker }: { marker: string }) => marker);
    await untilTrue(async () => !(await noted()).includes(isOver));
    assert.deepEqual(await noted(), [left, meant]);
    const exit = once(first, 'exit');
    first.kill('SIGKILL');
    await exit;
    assert.deepEqual(
      (await Promise.all(alive())).map((found) => found.length >= 2),
      [true, true, false],
    );

    const second = await startGateway({ ...options, token: 'key', name: 'crashing', version: '0', log });
    await second.ready();
    assert.deepEqual(await Promise.all(alive()), [[], [], []]);
    assert.deepEqual(await noted(), []);
    const { content } = await server.run('read_process', { id: 'p1' }, { sessionId });
    assert.match(content[0]?.type === 'text' ? content[0].text : '', /^p1 is from before the gateway on this machine was started anew: it ended then/);
    await server.run('bash', { command: 'sleep 600', background: true }, { sessionId });
    assert.equal((await noted()).length, 1);
    await second.close();
    assert.deepEqual(await noted(), []);
  });

test('G38: what a session had read before a restart and a person has changed since is not replaced', async () => {
  await using place = await folders();
  await using server = await startServerDouble();
  const options = { serverUrl: server.url, home: place.home, workspaces: [place.work] };
  await writeFile(join(place.work, 'a'), 'first');
  const sessionId = newId();
  const first = spawnGateway(options);
  await server.until(() => server.hellos.length === 1);
  await server.run('read_file', { path: 'a' }, { sessionId });
  const exit = once(first, 'exit');
  first.kill('SIGTERM');
  await exit;
  await writeFile(join(place.work, 'a'), 'by a person');
  const second = await startGateway({ ...options, token: 'key', name: 'crashing', version: '0', log });
  await second.ready();
  assert.equal((await server.run('write_file', { path: 'a', content: 'blind' }, { sessionId })).error?.code, 'not_read');
  assert.equal(await readFile(join(place.work, 'a'), 'utf8'), 'by a person');
  await server.run('read_file', { path: 'a' }, { sessionId });
  assert.equal((await server.run('write_file', { path: 'a', content: 'seen' }, { sessionId })).status, 'succeeded');
  await second.close();
});

test('G49, G50: killed in the middle of many changes, a gateway can still put the files back', async () => {
  await using place = await folders();
  await using server = await startServerDouble();
  const options = { serverUrl: server.url, home: place.home, workspaces: [place.work] };
  await writeFile(join(place.work, 'a'), 'former 0');
  await writeFile(join(place.work, 'b'), 'former\n');
  const first = spawnGateway(options);
  await server.until(() => server.hellos.length === 1);
  const sessionId = newId();
  await server.run('read_file', { path: 'a' }, { sessionId });
  const patch = '*** Begin Patch\n*** Update File: b\n@@\n-former\n+later\n*** Add File: c\n+c\n*** End Patch';
  const inputs: [string, unknown][] = [
    ['apply_patch', { patch }],
    ...Array.from({ length: 60 }, (_, index): [string, unknown] => ['write_file', { path: 'a', content: `later ${index}` }]),
  ];
  const commands = inputs.map(([tool, input]) => ({ ...commandFor(server.hellos[0], { tool, input }), sessionId }));
  const sent = commands.map((command) => server.emit('tool:call', command).catch(() => undefined));
  await server.until(() => server.results.size >= 20 && server.results.has(commands[0]?.callId ?? ''));
  const exit = once(first, 'exit');
  first.kill('SIGKILL');
  await exit;
  assert.notEqual(await readFile(join(place.work, 'a'), 'utf8'), 'former 0');

  const second = await startGateway({ ...options, token: 'key', name: 'crashing', version: '0', log });
  await second.ready();
  await Promise.all(sent);
  const calls = commands.map(({ callId }) => callId);
  const grant = { by: 'user' as const, at: new Date().toISOString() };
  const input = { calls, files: ['a', 'b', 'c'], others: [] };
  const undone = await server.run('undo_changes', input, { sessionId, grant });
  assert.deepEqual(undone.meta?.undone?.map(({ path, outcome }) => [path, outcome]).toSorted(), [
    ['a', 'restored'],
    ['b', 'restored'],
    ['c', 'removed'],
  ]);
  assert.equal(await readFile(join(place.work, 'a'), 'utf8'), 'former 0');
  assert.equal(await readFile(join(place.work, 'b'), 'utf8'), 'former\n');
  assert.deepEqual(
    (await readdir(place.work)).filter((name) => !name.endsWith('.tmp')),
    ['a', 'b'],
  );
  const refused = await server.call('undo_changes', input, { sessionId, grant: { by: 'policy', at: new Date().toISOString() } });
  assert.equal(refused.answer.accepted, false);
  await second.close();
});

test('G18: a killed owner leaves no lock behind, a living one refuses every other process', async () => {
  await using place = await folders();
  await using server = await startServerDouble();
  const options = { serverUrl: server.url, home: place.home, workspaces: [place.work] };
  const owner = spawnGateway(options);
  await server.until(() => server.hellos.length === 1);
  const mine = { ...options, token: 'key', name: 'crashing', version: '0', log };
  await assert.rejects(startGateway(mine), { code: 'already_running' });
  const exit = once(owner, 'exit');
  owner.kill('SIGKILL');
  await exit;
  await (await startGateway(mine)).close();
});

test('G16: a process number that belongs to someone else by now is not signalled', async () => {
  await using place = await folders();
  const stranger = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
  const identity = await identify(stranger.pid ?? 0);
  assert.ok(identity);
  await mkdir(place.home);
  const journal = await Journal.open({ path: join(place.home, 'journal'), log, newId });
  for (const leader of [
    { ...identity, startedAt: '1' },
    { ...identity, bootId: 'an earlier boot' },
  ]) {
    const callId = newId();
    await journal.append({ kind: 'started', callId, tool: 'bash', inputHash: 'h', at: new Date(0).toISOString() });
    await journal.append({ kind: 'running', callId, leader });
  }
  await settleLeftovers(journal, log);
  assert.deepEqual(
    [...journal.entries()].map((entry) => entry.result?.status),
    ['unknown', 'unknown'],
  );
  assert.deepEqual(await identify(stranger.pid ?? 0), identity, 'the stranger lives');
  const callId = newId();
  await journal.append({ kind: 'started', callId, tool: 'bash', inputHash: 'h', at: new Date(0).toISOString() });
  await journal.append({ kind: 'running', callId, leader: identity });
  const exit = once(stranger, 'exit');
  await settleLeftovers(journal, log);
  await exit;
  await journal.close();
});
