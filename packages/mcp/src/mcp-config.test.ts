import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parseMcpConfig, readMcpConfig } from './mcp-config.ts';

const source = { path: '/home/ada/.tendon/mcp.json', reader: 'gateway' as const, env: { TOKEN: 'secret', HOME: '/home/ada' } };
const parse = (value: unknown) => parseMcpConfig(typeof value === 'string' ? value : JSON.stringify(value), source);

test('E1: both kinds of servers are read, unknown fields let be, variables filled in, disabled servers left out', () => {
  const { servers, faults } = parse({
    $schema: 'x',
    mcpServers: {
      files: { command: 'npx', args: ['-y', 'server', `\${HOME}/docs`], env: { PORT: 8080, LEVEL: `\${LEVEL:-info}` }, autoApprove: ['*'], type: 'stdio' },
      web: { type: 'http', url: 'https://mcp.example.org/mcp', headers: { Authorization: `Bearer \${env:TOKEN}` } },
      bare: { url: 'http://127.0.0.1:1/mcp' },
      off: { command: 'rm', disabled: true },
    },
  });
  assert.deepEqual(faults, []);
  assert.deepEqual(servers, [
    { kind: 'stdio', name: 'files', command: 'npx', args: ['-y', 'server', '/home/ada/docs'], env: { PORT: '8080', LEVEL: 'info' }, cwd: undefined },
    { kind: 'http', name: 'web', url: 'https://mcp.example.org/mcp', headers: { Authorization: 'Bearer secret' } },
    { kind: 'http', name: 'bare', url: 'http://127.0.0.1:1/mcp', headers: {} },
  ]);
});

test('E1: what is wrong is told in one line with place and mend, and costs no other server', () => {
  const good = { command: 'good' };
  const table: [entry: unknown, says: RegExp][] = [
    [{ command: 7 }, /mcpServers\.bad\.command is wrong: it must be text\./],
    [{ command: '' }, /mcpServers\.bad\.command is wrong: it is empty\./],
    [{ args: [] }, /mcpServers\.bad has neither "command" \(the program to start\) nor "url"/],
    [{ type: 'stdio' }, /mcpServers\.bad has no "command"/],
    [{ type: 'http', command: 'x' }, /mcpServers\.bad has no "url"/],
    [{ command: 'x', args: 'y' }, /mcpServers\.bad\.args is wrong: it must be a list\./],
    [{ command: 'x', env: { KEY: {} } }, /mcpServers\.bad\.env\.KEY is wrong: it must be text, a number, true or false\./],
    [{ command: ['npx', '-y', 'hunter2'] }, /mcpServers\.bad\.command is wrong: .*put the words after the first into "args"/],
    [{ type: 'sse', url: 'http://a' }, /"sse".*Use "http"/],
    [{ type: 'carrier pigeon' }, /type is not known\. Use "stdio" or "http"/],
    [{ type: 'http', url: 'file:///etc/passwd' }, /mcpServers\.bad\.url is wrong: it must be an address that begins with http/],
    [{ url: 'hunter2' }, /mcpServers\.bad\.url is wrong: it must be an address that begins with http/],
    [{ url: 'https://ada:hunter2@example.org/mcp' }, /mcpServers\.bad\.url holds a name or a password.*use "headers"/],
    [{ command: 'x', env: { KEY: `\${NOWHERE}` } }, /mcpServers\.bad uses \$\{NOWHERE\}/],
  ];
  for (const [bad, says] of table) {
    const { servers, faults } = parse({ mcpServers: { bad, good } });
    assert.deepEqual(
      servers.map(({ name }) => name),
      ['good'],
    );
    assert.equal(faults.length, 1);
    assert.match(faults[0]?.line ?? '', says);
    assert.doesNotMatch(faults[0]?.line ?? '', /hunter2/);
    assert.match(
      faults[0]?.line ?? '',
      /^\/home\/ada\/\.tendon\/mcp\.json: .*(Mend it: the gateway reads it again by itself|which is read by itself; or set it, then start the gateway again)\.$/,
    );
  }
  assert.deepEqual(parse('\ufeff{"mcpServers":{"a":{"command":"c"}}}').faults, [], 'with the mark of an editor');
  assert.match(parse('{ "mcpServers": ').faults[0]?.line ?? '', /is not JSON/);
  const quoted = parse('{"mcpServers":{"a":{"env":{"KEY":canary-of-mcp}}}}').faults[0]?.line ?? '';
  assert.match(quoted, /is not JSON \(Unexpected token 'c'\)/);
  assert.doesNotMatch(quoted, /canary/);
  assert.match(parse([]).faults[0]?.line ?? '', /is wrong/);
  assert.match(parse({ mcpServers: { bad: 'npx' } }).faults[0]?.line ?? '', /mcpServers\.bad is wrong/);
  assert.deepEqual(parse({}), { servers: [], faults: [] });
});

test('E1: a file whose servers stand elsewhere than in mcpServers is told, with what the key must be', () => {
  const files = { command: 'npx', args: ['-y', 'server'] };
  const table: [file: unknown, says: RegExp][] = [
    [{ filesystem: files }, /mcp\.json: it has its servers \("filesystem"\) at the top: put them into \{ "mcpServers": \{ … \} \}/],
    [{ filesystem: files, web: { url: 'https://a/mcp' } }, /\("filesystem" and 1 more\) at the top/],
    [{ servers: files }, /\("servers"\) at the top/],
    ...['mcp_servers', 'mcpservers', 'mcp-servers', 'MCPServers', 'mcpServer', 'mcpSevers', 'mpcServers', 'servers', 'context_servers', 'mcp'].map(
      (key): [unknown, RegExp] => [{ [key]: { files } }, new RegExp(`mcp\\.json: ${key} is not read: name it "mcpServers"`)],
    ),
    [{ mcp: { servers: { files } } }, /mcp\.servers is not read: put what stands in it into "mcpServers"/],
  ];
  for (const [file, says] of table) {
    const { servers, faults } = parse(file);
    assert.deepEqual([servers, faults.length, faults[0]?.server], [[], 1, undefined]);
    assert.match(faults[0]?.line ?? '', says);
    assert.match(faults[0]?.line ?? '', /Mend it: the gateway reads it again by itself\.$/);
  }
  for (const other of [{ theme: 'dark' }, { inputs: [], theme: { command: 7 } }, { mcpServers: {}, hooks: { command: 'x' } }])
    assert.deepEqual(parse(other), { servers: [], faults: [] });
});

test('E1: a field that only looks like the one that is needed is named with the right one, and never what it holds', () => {
  const table: [entry: Record<string, unknown>, given: string, right: string][] = [
    [{ comand: 'hunter2' }, 'comand', 'command'],
    [{ Command: 'hunter2' }, 'Command', 'command'],
    [{ commnad: 'hunter2', args: [] }, 'commnad', 'command'],
    [{ cmd: 'hunter2' }, 'cmd', 'command'],
    [{ type: 'stdio', commands: 'hunter2' }, 'commands', 'command'],
    [{ serverUrl: 'hunter2' }, 'serverUrl', 'url'],
    [{ httpUrl: 'hunter2' }, 'httpUrl', 'url'],
    [{ URL: 'hunter2' }, 'URL', 'url'],
    [{ type: 'http', server_url: 'hunter2' }, 'server_url', 'url'],
  ];
  for (const [bad, given, right] of table) {
    const { servers, faults } = parse({ mcpServers: { bad, good: { command: 'good' } } });
    assert.deepEqual([servers.length, faults.length, faults[0]?.server], [1, 1, 'bad']);
    assert.ok(faults[0]?.line.includes(`mcpServers.bad.${given} is not known: name it "${right}". Mend it`), faults[0]?.line);
    assert.doesNotMatch(faults[0]?.line ?? '', /hunter2/);
  }
  // What is beside a field that is there is let be.
  assert.deepEqual(parse({ mcpServers: { both: { command: 'x', serverUrl: 'y' } } }).faults, []);
});

test('W33: networkAllow is read on the server, where a wrong one is told; on a machine it is a field like any other that is not known', () => {
  const on = (reader: 'gateway' | 'server', networkAllow: unknown) =>
    parseMcpConfig(JSON.stringify({ mcpServers: { web: { url: 'http://a/mcp', networkAllow } } }), { ...source, reader });
  const allow = ['login.corp', '*.corp:8443', '10.0.0.0/8', '[fd00::1]:80', 'localhost:3000'];
  assert.deepEqual(on('server', allow).servers, [{ kind: 'http', name: 'web', url: 'http://a/mcp', headers: {}, networkAllow: allow }]);
  assert.deepEqual(on('server', []).faults, []);
  for (const wrong of [['http://login.corp'], ['*'], [''], [7], 'login.corp', { allow: [] }, true]) {
    const { servers, faults } = on('server', wrong);
    assert.deepEqual([servers, faults.length], [[], 1]);
    assert.match(faults[0]?.line ?? '', /mcpServers\.web\.networkAllow(?:\.0)? is wrong: .* the server reads it again by itself\.$/);
    assert.deepEqual(on('gateway', wrong), { servers: [{ kind: 'http', name: 'web', url: 'http://a/mcp', headers: {} }], faults: [] });
  }
});

test('E1: no file is no server; one that cannot be read is told', async () => {
  assert.deepEqual(await readMcpConfig('/nowhere/mcp.json', {}), { servers: [], faults: [] });
  assert.match((await readMcpConfig('/', {})).faults[0]?.line ?? '', /cannot be read \(EISDIR\)/);
});

/** Opens a host in a process of its own and says which modules of the SDK it has loaded. */
const OPENS_HOST = `
import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({ load(url, context, next) { if (url.includes('@modelcontextprotocol')) loaded.push(url); return next(url, context); } });
const { McpHost } = await import(process.argv[1]);
const { pino } = await import('pino');
const base = process.argv[2];
const files = { config: base + '/mcp.json', pins: base + '/pins.json', processes: base + '/processes.json', credentials: base + '/credentials.json' };
const host = await McpHost.open({ files, place: { name: 'gateway' }, surroundings: { wishesFor: async () => new Map(), close: async () => undefined }, folder: base, version: '0', env: {}, log: pino({ level: 'silent' }), newId: () => 'id', now: () => new Date(), random: () => 0 });
await host.close();
process.stdout.write(String(loaded.length));
`;

test('E1: the SDK is loaded when a server is named, and not before', async () => {
  const base = await mkdtemp(join(tmpdir(), 'tendon mcp '));
  const loads = async (): Promise<number> => {
    const args = ['--input-type=module', '-e', OPENS_HOST, join(import.meta.dirname, 'mcp-host.ts'), base];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
    return Number(stdout);
  };
  assert.equal(await loads(), 0);
  await writeFile(join(base, 'mcp.json'), '{"mcpServers":{"off":{"command":"x","disabled":true}}}');
  assert.equal(await loads(), 0);
  await writeFile(join(base, 'mcp.json'), '{"mcpServers":{"on":{"command":"x"}}}');
  assert.ok((await loads()) > 0);
  await rm(base, { recursive: true });
});
