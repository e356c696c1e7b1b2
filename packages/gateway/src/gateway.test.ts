import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, connect as dial, type Socket as NetSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LOCAL_TOOLS } from '@tendon/protocol';
import { commandFor, type DoubleBehaviour, type ServerDouble, startServerDouble } from '@tendon/testing';
import { pino } from 'pino';
import { v7 as newId } from 'uuid';
import { browserModuleLoads } from './browser/browser-host.ts';
import { type GatewayHandle, type GatewayOptions, GatewayStartError, type LinkState, readGatewayId, registryBuilds, startGateway } from './index.ts';
import { textOf } from './tools/tool-bench-rig.ts';

interface Rig extends AsyncDisposable {
  readonly server: ServerDouble;
  readonly gateway: GatewayHandle;
  readonly workspace: string;
  readonly home: string;
  readonly options: GatewayOptions;
}

async function startRig(behaviour: DoubleBehaviour = {}, more: Partial<GatewayOptions> = {}): Promise<Rig> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'tendon gateway ')));
  const workspace = join(base, "work 'space' \u{1F98A}");
  const home = join(base, 'home');
  await mkdir(workspace);
  const server = await startServerDouble(behaviour);
  const options: GatewayOptions = {
    serverUrl: server.url,
    token: 'the-secret-key',
    home,
    workspaces: [workspace],
    log: pino({ level: 'silent' }),
    version: '0.0.0',
    name: 'my machine',
    random: () => 0.001,
    ...more,
  };
  const gateway = await startGateway(options);
  return {
    server,
    gateway,
    workspace,
    home,
    options,
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await server[Symbol.asyncDispose]();
      await rm(base, { recursive: true, force: true });
    },
  };
}

function stateOf(gateway: GatewayHandle, kind: LinkState['kind']): Promise<LinkState> {
  return new Promise((resolve) => {
    const look = (state: LinkState): void => {
      if (state.kind !== kind) return;
      stop();
      resolve(state);
    };
    const stop = gateway.subscribe(look);
    look(gateway.state);
  });
}

test('G6: the hello names identity, workspaces, tools; calls run and are reported', async () => {
  await using rig = await startRig();
  assert.equal((await rig.gateway.ready()).kind, 'online');
  const hello = rig.server.hellos[0];
  assert.ok(hello);
  assert.equal(hello.gatewayId, rig.gateway.gatewayId);
  assert.deepEqual(hello.workspaces, [{ path: rig.workspace, name: "work 'space' \u{1F98A}" }]);
  assert.deepEqual(hello.tools.map(({ name }) => name).sort(), Object.keys(LOCAL_TOOLS).sort());
  assert.deepEqual(hello.calls, []);
  await writeFile(join(rig.workspace, 'a.txt'), 'one\n');
  assert.equal(textOf(await rig.server.run('read_file', { path: 'a.txt' })), '     1\tone');
  const { callId, answer } = await rig.server.call('bash', { command: 'echo live; until [ -e heard ]; do sleep 0.05; done; echo end' });
  assert.deepEqual(answer, { accepted: true });
  await rig.server.until(() => rig.server.outputs.length > 0);
  await writeFile(join(rig.workspace, 'heard'), '');
  const [result] = await rig.server.until(() => rig.server.results.get(callId));
  assert.ok(result);
  assert.equal(textOf(result), 'live\nend\n');
  assert.deepEqual(rig.server.started, [callId]);
  const live = rig.server.outputs.filter((output) => output.callId === callId);
  assert.equal(live.map(({ text }) => text).join(''), 'live\nend\n');
  assert.deepEqual(
    live.map(({ offset }) => offset),
    [0, 5],
  );
  assert.deepEqual(rig.server.faults, []);
});

test('G4: the credential stands in auth.token and nowhere else', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const [handshake] = rig.server.handshakes;
  assert.deepEqual(handshake?.auth, { protocol: 1, token: 'the-secret-key', client: { name: 'tendon-gateway', version: '0.0.0' } });
  assert.doesNotMatch(JSON.stringify(handshake?.headers), /the-secret-key|cookie|authorization/i);
});

test('G4: a server on another machine that is reached without TLS is named in the log, and no other', async () => {
  await using rig = await startRig();
  const home = `${rig.home}-elsewhere`;
  const told = async (serverUrl: string): Promise<string[]> => {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line) => void lines.push(line) });
    await (await startGateway({ ...rig.options, home, serverUrl, log })).close();
    return lines.filter((line) => line.includes('unencrypted'));
  };
  // Not named as loopback, and nothing leaves this machine for it.
  const [line = ''] = await told('http://0.0.0.0:1');
  assert.match(line, /"url":"http:\/\/0\.0\.0\.0:1".*use https/);
  assert.doesNotMatch(line, /the-secret-key/);
  for (const serverUrl of ['https://0.0.0.0:1', 'http://127.0.0.1:1', 'http://localhost:1', 'http://[::1]:1']) assert.deepEqual(await told(serverUrl), []);
});

test('G3: a terminal refusal ends it with the reason; ready settles once and nothing dials again', async () => {
  for (const code of ['unauthorized', 'forbidden_origin', 'unsupported_protocol']) {
    await using rig = await startRig({ refuse: () => ({ code, message: `because ${code}` }) });
    assert.deepEqual(await rig.gateway.ready(), { kind: 'failed', attempt: 1, reason: { code, message: `because ${code}` } });
    assert.equal(rig.server.handshakes.length, 1);
  }
});

test('G3: refusals that pass and an unreachable server are tried again until it works', async () => {
  let refusals = 2;
  await using rig = await startRig({ refuse: () => (refusals-- > 0 ? { code: 'shutting_down', message: 'soon', retryAfterMs: 20 } : undefined) });
  assert.equal((await rig.gateway.ready()).kind, 'online');
  assert.equal(rig.server.handshakes.length, 3);
  await rig.server[Symbol.asyncDispose]();
  await stateOf(rig.gateway, 'waiting');
  await using again = await startServerDouble({ port: rig.server.port });
  await stateOf(rig.gateway, 'online');
  assert.equal(again.hellos[0]?.instanceId, rig.server.hellos[0]?.instanceId);
});

test('G3: a hello refused for good ends it', async () => {
  await using rig = await startRig({ hello: () => ({ ok: false, error: { code: 'not_found', message: 'not your machine' } }) });
  assert.deepEqual(await rig.gateway.ready(), { kind: 'failed', attempt: 1, reason: { code: 'not_found', message: 'not your machine' } });
});

test('G5: a server that falls silent without closing is noticed', async () => {
  const engine = { pingInterval: 150, pingTimeout: 150 };
  await using target = await startServerDouble({ engine });
  const pipes: { isFrozen: boolean; sockets: NetSocket[] }[] = [];
  const proxy = createServer((client) => {
    const upstream = dial(target.port, '127.0.0.1');
    const pipe = { isFrozen: false, sockets: [client, upstream] };
    pipes.push(pipe);
    client.on('data', (data) => !pipe.isFrozen && upstream.write(data)).on('error', () => undefined);
    upstream.on('data', (data) => !pipe.isFrozen && client.write(data)).on('error', () => undefined);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await using rig = await startRig({}, { serverUrl: `http://127.0.0.1:${port}` });
  await rig.gateway.ready();
  for (const pipe of pipes) pipe.isFrozen = true;
  const state = await stateOf(rig.gateway, 'waiting');
  assert.match(state.kind === 'waiting' ? state.cause : '', /ping timeout/);
  await target.until(() => target.hellos.length === 2);
  await rig.gateway.close();
  for (const socket of pipes.flatMap((pipe) => pipe.sockets)) socket.destroy();
  await new Promise((resolve) => proxy.close(resolve));
});

test('G9, W1: fifty reconnects, one registry, and no module of a browser', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  for (let round = 2; round <= 50; round += 1) {
    rig.server.cut();
    await rig.server.until(() => rig.server.hellos.length >= round);
    await stateOf(rig.gateway, 'online');
  }
  assert.equal(registryBuilds(), 1);
  assert.equal(browserModuleLoads(), 0);
  assert.equal(new Set(rig.server.hellos.map((hello) => `${hello.gatewayId} ${hello.instanceId}`)).size, 1);
});

test('G10: every faulty dispatch is answered with a code, and the gateway goes on', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const good = commandFor(rig.server.hellos[0], { tool: 'read_file', input: { path: 'x' } });
  const table: [string, unknown, string][] = [
    ['null', null, 'invalid_payload'],
    ['text', 'call', 'invalid_payload'],
    ['a list', [good], 'invalid_payload'],
    ['no call id', { ...good, callId: undefined }, 'invalid_payload'],
    ['no grant', { ...good, grant: undefined }, 'invalid_payload'],
    ['a wrong grant', { ...good, grant: { by: 'me', at: 'now' } }, 'invalid_payload'],
    ['no time', { ...good, timeoutMs: 0 }, 'invalid_payload'],
    ['a huge input', { ...good, input: { path: 'x'.repeat(2_000_000) } }, 'too_large'],
    ['deep nesting', { ...good, input: JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`) }, 'invalid_payload'],
    ['a prototype', { ...good, input: JSON.parse('{"__proto__":{"x":1}}') }, 'invalid_payload'],
    ['another hash', { ...good, callId: newId(), inputHash: 'AAAA' }, 'hash_mismatch'],
    ['another input', { ...good, callId: newId(), input: { path: 'y' } }, 'hash_mismatch'],
    ['half a character', { ...good, callId: newId(), input: { path: '\ud800' } }, 'hash_mismatch'],
    ['another workspace', { ...good, callId: newId(), workspace: '/etc' }, 'unknown_workspace'],
    ['an unknown tool', commandFor(rig.server.hellos[0], { tool: 'constructor', input: {} }), 'unknown_tool'],
    ['a wrong input', commandFor(rig.server.hellos[0], { tool: 'read_file', input: { path: 7 } }), 'invalid_input'],
  ];
  for (const [name, payload, code] of table) {
    const answer = (await rig.server.emit('tool:call', payload)) as { accepted: boolean; error?: { code: string; message: string } };
    assert.deepEqual([answer.accepted, answer.error?.code], [false, code], name);
    assert.ok((answer.error?.message.length ?? 0) > 10);
  }
  assert.deepEqual(await rig.server.emit('tool:cancel', { callId: 7 }), {});
  assert.equal((await rig.server.run('glob', { pattern: '*' })).status, 'succeeded');
});

test('G11: what was approved for another machine or folder does not run here', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const hello = rig.server.hellos[0];
  assert.ok(hello);
  const elsewhere = commandFor({ ...hello, gatewayId: newId() }, { tool: 'bash', input: { command: 'touch ran' } });
  const answer = (await rig.server.emit('tool:call', elsewhere)) as { error?: { code: string } };
  assert.equal(answer.error?.code, 'hash_mismatch');
  assert.deepEqual(await readdir(rig.workspace), []);
});

test('G12: a call repeated at once, while it runs, and after its end starts once', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const command = commandFor(rig.server.hellos[0], { tool: 'bash', input: { command: 'echo x >> ledger; until [ -e go ]; do sleep 0.05; done' } });
  const answers = await Promise.all(Array.from({ length: 20 }, () => rig.server.emit('tool:call', command)));
  assert.ok(answers.every((answer) => (answer as { accepted: boolean }).accepted));
  await writeFile(join(rig.workspace, 'go'), '');
  await rig.server.until(() => rig.server.results.get(command.callId));
  const late = (await rig.server.emit('tool:call', command)) as { accepted: boolean; error?: { code: string } };
  assert.ok(late.accepted || late.error?.code === 'already_over');
  assert.equal(await readFile(join(rig.workspace, 'ledger'), 'utf8'), 'x\n');
});

test('G12: a reading call that is sent again while it runs does not start twice', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const command = commandFor(rig.server.hellos[0], { tool: 'glob', input: { pattern: '**/*' } });
  const answers = await Promise.all([1, 2, 3].map(() => rig.server.emit('tool:call', command)));
  assert.deepEqual(answers, [{ accepted: true }, { accepted: true }, { accepted: true }]);
  await rig.server.until(() => rig.server.results.get(command.callId));
});

test('G12: 1,000 calls over connections that keep breaking: each ran once, each result arrived', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const commands = Array.from({ length: 1_000 }, (_, index) =>
    commandFor(rig.server.hellos[0], { tool: 'write_file', input: { path: `files/${index}`, content: `${index}` } }),
  );
  const send = async (index: number): Promise<void> => {
    const command = commands[index];
    if (!command) return;
    while (!rig.server.results.has(command.callId)) {
      const answer = (await rig.server.emit('tool:call', command).catch(() => undefined)) as { accepted?: boolean; error?: { code: string } } | undefined;
      if (answer?.accepted || answer?.error?.code === 'already_over') await rig.server.until(() => rig.server.results.has(command.callId));
      else {
        // The server hears of a cut at once, the gateway with a later turn of the event loop.
        await new Promise(setImmediate);
        await stateOf(rig.gateway, 'online');
      }
    }
  };
  const cutting = (async () => {
    for (let count = 200; count < 1_000; count += 300) {
      await rig.server.until(() => rig.server.results.size >= count);
      rig.server.cut();
    }
  })();
  for (let from = 0; from < commands.length; from += 40) await Promise.all(Array.from({ length: 40 }, (_, step) => send(from + step)));
  await cutting;
  const results = commands.map(({ callId }) => rig.server.results.get(callId));
  assert.ok(results.every((seen) => seen?.every((result) => result.status === 'succeeded' && textOf(result).startsWith('Created'))));
  assert.equal((await readdir(join(rig.workspace, 'files'))).length, 1_000);
  const started = (await readFile(join(rig.home, 'gateway', 'my%20machine', 'journal'), 'utf8')).split('\n').filter((line) => line.includes('"started"'));
  assert.equal(new Set(started).size, started.length);
});

test('G13: the machine’s policy has the last word over every grant', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const rules = [
    { action: 'deny', tool: 'bash', subject: '*rm *' },
    { action: 'ask', tool: 'write_file' },
  ];
  await writeFile(join(rig.home, 'gateway-policy.json'), JSON.stringify({ version: 1, rules }));
  const policyGrant = { grant: { by: 'policy' as const, at: new Date().toISOString() } };
  const refused = await rig.server.call('bash', { command: 'touch a; rm a' });
  assert.equal(!refused.answer.accepted && refused.answer.error.code, 'denied_by_machine');
  const asked = await rig.server.call('write_file', { path: 'b', content: '' }, policyGrant);
  assert.equal(!asked.answer.accepted && asked.answer.error.code, 'approval_needed');
  assert.deepEqual(await readdir(rig.workspace), []);
  assert.equal((await rig.server.run('write_file', { path: 'b', content: '' })).status, 'succeeded');
  await writeFile(join(rig.home, 'gateway-policy.json'), '{ "version": 1,\n  "rules": [,] }');
  const { answer } = await rig.server.call('read_file', { path: 'b' });
  assert.ok(!answer.accepted && answer.error.code === 'denied_by_machine');
  assert.ok(answer.error.message.includes(`refuses every call: ${rig.home}/gateway-policy.json is not JSON (line 2, column 13)`), answer.error.message);
});

test('W21, W22: every command to show the browser is answered, malformed ones too; nothing is opened by them, and the gateway goes on', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const sessionId = newId();
  const wrong = [
    null,
    'x',
    {},
    { sessionId },
    { sessionId: '../..', forMs: 1_000, anew: true },
    { sessionId, forMs: 1e12, anew: true },
    { sessionId, forMs: -1, anew: true },
  ];
  for (const payload of wrong) assert.deepEqual(await rig.server.emit('browser:watch', payload), {});
  assert.equal(rig.server.views.length, 0);
  const flood = Array.from({ length: 500 }, () => rig.server.emit('browser:watch', { sessionId: newId(), forMs: 1_000, anew: true }));
  await Promise.all(flood);
  await rig.server.emit('browser:watch', { sessionId, forMs: 0, anew: false });
  await rig.server.until(() => rig.server.views.length > 0);
  assert.ok(rig.server.views.every((view) => 'state' in view && view.state === 'no_page'));
  assert.ok(rig.server.views.length <= 20, `${rig.server.views.length} sessions are watched`);
  assert.deepEqual(rig.server.faults, []);
  const { answer } = await rig.server.call('read_file', { path: 'nothing' });
  assert.equal(answer.accepted, true);
});

test('G14: cancel ends a running command with its output so far; before the dispatch it keeps it from starting', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const { callId } = await rig.server.call('bash', { command: 'echo begun; sleep 600' });
  await rig.server.until(() => rig.server.outputs.some((output) => output.callId === callId));
  assert.deepEqual(await rig.server.emit('tool:cancel', { callId }), {});
  await rig.server.emit('tool:cancel', { callId });
  const [result] = await rig.server.until(() => rig.server.results.get(callId));
  assert.equal(result?.status, 'cancelled');
  assert.match(result ? textOf(result) : '', /begun/);
  const never = commandFor(rig.server.hellos[0], { tool: 'bash', input: { command: 'touch ran' } });
  await rig.server.emit('tool:cancel', { callId: never.callId });
  await rig.server.emit('tool:call', never);
  assert.equal((await rig.server.until(() => rig.server.results.get(never.callId)))[0]?.status, 'cancelled');
  assert.deepEqual(await readdir(rig.workspace), []);
});

test('G27: the smaller of the two time limits ends the command', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const short = await rig.server.run('bash', { command: 'echo begun; sleep 600', timeoutMs: 200 });
  assert.deepEqual([short.status, short.error?.code], ['failed', 'timeout']);
  assert.equal((await rig.server.run('bash', { command: 'sleep 600' }, { timeoutMs: 150 })).error?.code, 'timeout');
});

test('G43: a command in the background has no time limit, also where one is named', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const sessionId = newId();
  const started = await rig.server.run('bash', { command: 'sleep 600', background: true, timeoutMs: 100 }, { sessionId });
  assert.deepEqual([started.status, started.meta?.background], ['succeeded', true], textOf(started));
  assert.match(textOf(await rig.server.run('list_processes', {}, { sessionId })), /running for/);
});

test('G7: results are sent again over reconnects and refusals, and forgotten once acknowledged', async () => {
  await using rig = await startRig({
    result: (_, seen) =>
      seen === 1 ? 'silent' : seen === 2 ? { ok: false, error: { code: 'rate_limited', message: 'slow down', details: { retryAfterMs: 10 } } } : undefined,
  });
  await rig.gateway.ready();
  const { callId } = await rig.server.call('bash', { command: 'echo once >> ledger' });
  await rig.server.until(() => rig.server.results.get(callId));
  rig.server.cut();
  await rig.server.until(() => rig.server.results.get(callId)?.length === 3);
  assert.equal(await readFile(join(rig.workspace, 'ledger'), 'utf8'), 'once\n');
  assert.deepEqual(
    rig.server.hellos[1]?.calls.map((call) => [call.callId, call.state]),
    [[callId, 'finished']],
  );
  rig.server.cut();
  await rig.server.until(() => rig.server.hellos.length === 3);
  assert.deepEqual(rig.server.hellos[2]?.calls, []);
});

test('G6: what the answer to a hello names is cancelled or forgotten, and a running call outlives a reconnect', async () => {
  const answer: { cancel: string[]; forget: string[] } = { cancel: [], forget: [] };
  await using rig = await startRig({ hello: () => ({ ok: true, data: { send: [], ...answer } }), result: () => 'silent' });
  await rig.gateway.ready();
  const running = await rig.server.call('bash', { command: 'echo begun; sleep 600' });
  const finished = await rig.server.call('bash', { command: 'true' });
  await rig.server.until(() => rig.server.results.has(finished.callId));
  rig.server.cut();
  await rig.server.until(() => rig.server.hellos.length === 2);
  assert.deepEqual(
    rig.server.hellos[1]?.calls.map(({ callId, state }) => `${callId} ${state}`).sort(),
    [`${running.callId} running`, `${finished.callId} finished`].sort(),
  );
  answer.cancel = [running.callId];
  answer.forget = [finished.callId];
  await stateOf(rig.gateway, 'online');
  rig.server.cut();
  assert.equal((await rig.server.until(() => rig.server.results.get(running.callId)))[0]?.status, 'cancelled');
  answer.cancel = [];
  rig.server.cut();
  await rig.server.until(() => rig.server.hellos.length === 4);
  assert.deepEqual(
    rig.server.hellos[3]?.calls.map((call) => call.callId),
    [running.callId],
  );
});

test('G30: results of a megabyte each go out one by one when a hello cannot hold them', async () => {
  let isDeaf = true;
  await using rig = await startRig({ result: () => (isDeaf ? 'silent' : undefined) });
  await rig.gateway.ready();
  const big = `${'x'.repeat(60)}\n`.repeat(1_000);
  await writeFile(join(rig.workspace, 'big'), big);
  const calls = await Promise.all(Array.from({ length: 60 }, () => rig.server.call('read_file', { path: 'big' })));
  await rig.server.until(() => rig.server.results.size >= 8);
  rig.server.cut();
  await rig.server.until(() => rig.server.hellos.length === 2);
  isDeaf = false;
  rig.server.cut();
  await rig.server.until(() => calls.every(({ callId }) => rig.server.results.has(callId)));
  assert.deepEqual(rig.server.faults, []);
  assert.equal(rig.server.hellos[1]?.calls.length, 60);
});

test('G19: the id outlives restarts, and nobody else can read the home', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const own = join(rig.home, 'gateway', 'my%20machine');
  for (const folder of [rig.home, join(rig.home, 'gateway'), own]) assert.equal((await stat(folder)).mode & 0o777, 0o700);
  for (const file of ['identity.json', 'journal']) assert.equal((await stat(join(own, file))).mode & 0o777, 0o600, file);
  await rig.gateway.close();
  const again = await startGateway(rig.options);
  assert.equal(again.gatewayId, rig.gateway.gatewayId);
  assert.equal(await readGatewayId(rig.home, 'my machine'), again.gatewayId);
  await again.close();
});

test('G18: a second gateway of the same name is refused; another name is another machine', async () => {
  await using rig = await startRig();
  await assert.rejects(startGateway(rig.options), (error: unknown) => error instanceof GatewayStartError && error.code === 'already_running');
  const patient = startGateway({ ...rig.options, waitForOwnerMs: 20_000 });
  const other = await startGateway({ ...rig.options, name: '../other' });
  assert.notEqual(other.gatewayId, rig.gateway.gatewayId);
  await other.close();
  assert.deepEqual((await readdir(join(rig.home, 'gateway'))).sort(), ['%2e%2e%2fother', 'my%20machine']);
  await rig.gateway.close();
  await (await patient).close();
});

test('G32: what keeps a gateway from starting is one line that says what to do, and holds nothing open', async () => {
  await using rig = await startRig();
  const identity = join(rig.home, 'gateway', 'broken', 'identity.json');
  await mkdir(join(rig.home, 'gateway', 'broken'));
  await writeFile(identity, '{"gatewayId":');
  const table: [Partial<GatewayOptions>, GatewayStartError['code']][] = [
    [{ workspaces: [join(rig.workspace, 'missing')] }, 'workspace_missing'],
    [{ workspaces: [rig.home] }, 'workspace_missing'],
    [{ workspaces: [] }, 'invalid_options'],
    [{ serverUrl: 'not a url' }, 'invalid_options'],
    [{ serverUrl: 'file:///etc/passwd' }, 'invalid_options'],
    [{ token: '' }, 'invalid_options'],
    [{ home: '/dev/null/home' }, 'home_unusable'],
    [{ name: 'broken' }, 'identity_unreadable'],
  ];
  for (const [options, code] of table) {
    await assert.rejects(
      startGateway({ ...rig.options, name: 'fresh', ...options }),
      (error: unknown) => error instanceof GatewayStartError && error.code === code && !error.message.includes('\n'),
      code,
    );
  }
  await rm(identity);
  await (await startGateway({ ...rig.options, name: 'broken' })).close();
});

test('G31: close ends what runs, hands in its result, and can be repeated', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const { callId } = await rig.server.call('bash', { command: 'echo begun; sleep 600' });
  await rig.server.until(() => rig.server.outputs.some((output) => output.callId === callId));
  await Promise.all([rig.gateway.close(), rig.gateway.close()]);
  const [result] = rig.server.results.get(callId) ?? [];
  assert.equal(result?.status, 'cancelled');
  assert.equal(rig.gateway.state.kind, 'idle');
  const again = await startGateway(rig.options);
  await again.ready();
  assert.deepEqual(rig.server.hellos.at(-1)?.calls, []);
  await again.close();
});

test('G31: closed before it was ever online, ready settles', async () => {
  const gone = await startServerDouble();
  await gone[Symbol.asyncDispose]();
  await using rig = await startRig({}, { serverUrl: gone.url });
  await stateOf(rig.gateway, 'waiting');
  await rig.gateway.close();
  assert.deepEqual(await rig.gateway.ready(), { kind: 'idle' });
});

test('G43: an id of a process from before a restart names no new one, and the answer says that the gateway was started anew', async () => {
  await using rig = await startRig();
  await rig.gateway.ready();
  const idOf = (text: string): string => /\bp\d+\b/.exec(text)?.[0] ?? '';
  const sessionId = newId();
  const old = idOf(textOf(await rig.server.run('bash', { command: 'echo old; sleep 600', background: true }, { sessionId })));
  await rig.gateway.close();
  const again = await startGateway(rig.options);
  try {
    await again.ready();
    const fresh = idOf(textOf(await rig.server.run('bash', { command: 'echo new; sleep 600', background: true }, { sessionId })));
    assert.ok(old !== '' && fresh !== '' && fresh !== old);
    for (const tool of ['read_process', 'stop_process']) {
      const told = await rig.server.run(tool, { id: old }, { sessionId });
      assert.equal(told.error?.code, 'not_found');
      assert.match(textOf(told), /was started anew.* Start the command again/);
    }
    assert.match(textOf(await rig.server.run('read_process', { id: fresh, fromByte: 0, waitMs: 20_000 }, { sessionId })), /new/);
  } finally {
    await again.close();
  }
});

test('C17, G6: a gateway that was started anew asks its server, and no other one, about the sessions that it keeps something of for an undo', async (t) => {
  const gone = newId();
  const kept = newId();
  const hello = () => ({ ok: true, data: { send: [], cancel: [], forget: [], over: [{ sessionId: gone, isDeleted: true }] } });
  await using rig = await startRig({ hello: (said) => (said.sessions?.includes(gone) ? hello() : undefined) });
  await rig.gateway.ready();
  for (const sessionId of [gone, kept]) await rig.server.run('write_file', { path: sessionId, content: 'x' }, { sessionId });
  await rig.gateway.close();
  const sessions = async (): Promise<string[]> => (await readdir(join(rig.home, 'gateway', 'my%20machine', 'undo', 'sessions'))).toSorted();
  // What is no id of a session is not told to anybody: it would have the greeting refused.
  await mkdir(join(rig.home, 'gateway', 'my%20machine', 'undo', 'sessions', '-'.repeat(36)));

  await using other = await startServerDouble();
  const elsewhere = await startGateway({ ...rig.options, serverUrl: other.url });
  t.after(() => elsewhere.close());
  await elsewhere.ready();
  assert.deepEqual(other.hellos[0]?.sessions, []);
  await elsewhere.close();
  const before = await sessions();
  assert.ok(before.includes(gone) && before.includes(kept));

  const again = await startGateway(rig.options);
  t.after(() => again.close());
  await again.ready();
  assert.deepEqual(rig.server.hellos.at(-1)?.sessions?.toSorted(), [gone, kept].toSorted());
  // It is done in the order of what is kept: a change after it is made when it is over.
  await rig.server.run('write_file', { path: 'after', content: 'x' }, { sessionId: kept });
  await again.close();
  assert.deepEqual(
    (await sessions()).filter((name) => name !== '-'.repeat(36)),
    [kept],
  );
  assert.deepEqual(rig.server.faults, []);
});
