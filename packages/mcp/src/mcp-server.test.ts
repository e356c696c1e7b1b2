import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { ConnectionEnded, type McpConnection } from './mcp-connection.ts';
import { PLACE } from './mcp-rig.ts';
import type { McpPlace, McpRun } from './mcp-run.ts';
import { McpServer } from './mcp-server.ts';

const never = new Promise<never>(() => undefined);

/** A server whose every call rejects with `error`, over a connection that does not say that it has ended. */
async function serverThatFails(error: Error, place: McpPlace = PLACE): Promise<McpServer> {
  const ready = Promise.withResolvers<void>();
  const connection: McpConnection = {
    abilities: { tools: false, resources: true, prompts: false },
    ended: never,
    request: () => Promise.reject(error),
    close: () => Promise.resolve(),
  };
  const server = new McpServer({
    config: { kind: 'http', name: 'web', url: 'http://127.0.0.1:1/mcp', headers: { Authorization: 'Bearer abc.def.ghi' } },
    connect: () => Promise.resolve(connection),
    doorOf: () => undefined,
    processes: { begin: () => Promise.resolve({ marker: 'm', onLeader: () => undefined, end: () => Promise.resolve() }) },
    place,
    ...{ folder: '/', version: '0', log: pino({ level: 'silent' }), monotonicMs: () => 0, random: () => 0, onTools: ready.resolve, onState: () => undefined },
  });
  server.start();
  await ready.promise;
  return server;
}

const contextOf = (signal: AbortSignal) => ({ signal, onOutput: () => undefined }) as unknown as McpRun;

test('E10: an error of a server that speaks of closed connections is its answer, and holds no call', async () => {
  const server = await serverThatFails(new Error('MCP error -32000: database connection closed, the session has ended'));
  const result = await server.callTool('query', {}, contextOf(new AbortController().signal));
  assert.equal(result.error?.code, 'mcp_failed');
  assert.match(result.error?.message ?? '', /answered with an error: .*database connection closed/);
  await server.close();
});

test('E10: a call that is cancelled while the end of its server is waited for ends at once', async () => {
  const server = await serverThatFails(new ConnectionEnded('gone'));
  const abort = new AbortController();
  const running = server.callTool('query', {}, contextOf(abort.signal));
  setImmediate(() => abort.abort({ kind: 'cancelled' }));
  const result = await running;
  assert.equal(result.status, 'cancelled');
  await server.close();
});

test('E28: an error that a server answers with is told without the headers of its entry, where others than their writer hear it', async () => {
  const said = new Error('MCP error -32602: I do not like "Bearer abc.def.ghi"');
  const ask = async (place: McpPlace) => {
    const server = await serverThatFails(said, place);
    const result = await server.callTool('query', {}, contextOf(new AbortController().signal));
    await server.close();
    return result.error?.message ?? '';
  };
  assert.match(await ask({ ...PLACE, hidesSecrets: true }), /I do not like "\[hidden: a secret of mcp\.json\]"$/);
  assert.match(await ask(PLACE), /abc\.def\.ghi/);
});

test('E28: a secret that stands where a long error is cut is told by no half', async () => {
  for (const before of [3_960, 3_990]) {
    const server = await serverThatFails(new Error(`${'x'.repeat(before)}Bearer abc.def.ghi`), { ...PLACE, hidesSecrets: true });
    const result = await server.callTool('query', {}, contextOf(new AbortController().signal));
    await server.close();
    assert.doesNotMatch(result.error?.message ?? '', /Bearer|abc/, String(before));
  }
});
