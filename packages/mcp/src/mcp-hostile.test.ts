import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { heldPauses } from '@tendon/testing';
import { boundedBody } from './bounded-body.ts';
import { events, result, startRawServer, TOOL } from './mcp-raw-rig.ts';
import { type McpBench, openMcpBench, textOf } from './mcp-rig.ts';

const MIB = 'x'.repeat(1024 * 1024);
const message = (bench: McpBench, tool: string): Promise<string> => bench.run(tool, {}).then((failed) => failed.error?.message ?? textOf(failed));

test('E22: a stream, a body and a mere yes that end without the answer fail the call, which may have been done; the next one runs', async () => {
  const ways = ['stream', 'cut', 'other', 'nothing', 'well'];
  await using server = await startRawServer((ask) => {
    if (ask.method !== 'tools/call') return undefined;
    const way = ways.shift();
    if (way === 'stream') return events(ask).end('data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"soon"}}\n\n');
    if (way === 'cut') return events(ask).write(': working\n\n', () => ask.response.destroy());
    if (way === 'other') return result({ ...ask, id: 4_711 }, { content: [] });
    if (way === 'nothing') return ask.response.writeHead(202).end();
    return undefined;
  });
  await using bench = await openMcpBench({ web: { url: server.url } });
  await bench.announced('mcp__web__go');
  for (let count = 0; count < 4; count += 1) {
    assert.match(await message(bench, 'mcp__web__go'), /^The answer of the MCP server "web" was lost \(.*\)\. Nobody can say whether it was done/);
  }
  assert.equal(await message(bench, 'mcp__web__go'), 'went');
});

test('E9, E22: a server that takes nobody back to a stream that broke is greeted anew, and its call fails', async () => {
  let isOdd = true;
  await using server = await startRawServer((ask) => {
    if (ask.method !== 'tools/call' || !isOdd) return undefined;
    isOdd = false;
    return events(ask).end('id: 1\nretry: 1\ndata:\n\n');
  });
  await using bench = await openMcpBench({ web: { url: server.url } });
  await bench.announced('mcp__web__go');
  assert.match(await message(bench, 'mcp__web__go'), /ended while this ran.*Nobody can say/);
  while ((await message(bench, 'mcp__web__go')) !== 'went') await new Promise(setImmediate);
});

test('E21: an answer without an end, as one body or one event, costs its call and not the memory of the gateway', async () => {
  const ways = ['body', 'event', 'well'];
  const written: number[] = [];
  await using server = await startRawServer(async (ask) => {
    if (ask.method !== 'tools/call') return undefined;
    const way = ways.shift();
    if (way === 'well') return undefined;
    const { response } = way === 'event' ? { response: events(ask) } : ask;
    if (way === 'body') response.writeHead(200, { 'content-type': 'application/json' }).write('{"jsonrpc":"2.0","result":{"content":[{"type":"text","text":"');
    response.setMaxListeners(0);
    let count = 0;
    for (; !response.destroyed && count < 1_000; count += 1) {
      if (!response.write(way === 'event' ? `data: ${MIB}\n` : MIB)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
    written.push(count);
    return true;
  });
  await using bench = await openMcpBench({ web: { url: server.url } });
  await bench.announced('mcp__web__go');
  for (let count = 0; count < 2; count += 1) assert.match(await message(bench, 'mcp__web__go'), /was lost/);
  assert.equal(await message(bench, 'mcp__web__go'), 'went');
  assert.ok(
    written.every((count) => count < 200),
    `it wrote ${written.join(' and ')} MiB`,
  );
});

test('E21: many events may have more in all than one may have', async () => {
  const streamOf = (text: string) =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (let count = 0; count < 10; count += 1) controller.enqueue(Buffer.from(text));
        controller.close();
      },
    });
  const headers = { 'content-type': 'text/event-stream; charset=utf-8' };
  const event = `data: ${'x'.repeat(600)}\r\n\r\n`;
  assert.equal((await boundedBody(new Response(streamOf(event), { headers }), 1_000).text()).length, 10 * event.length);
  await assert.rejects(boundedBody(new Response(streamOf(event)), 1_000).text(), /more than 1000 bytes/);
  const endless = `data: ${'x'.repeat(200)}\r\n`;
  await assert.rejects(boundedBody(new Response(streamOf(endless), { headers }), 1_000).text(), /more than 1000 bytes/);
});

test('E21: a server whose list changes at every look is listed after pauses, and costs no calls', async () => {
  let lists = 0;
  let stream: { write(text: string): unknown } | undefined;
  const changed = 'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n';
  using pauses = heldPauses((ms) => ms >= 1_000);
  await using server = await startRawServer((ask) => {
    if (ask.method === 'GET') {
      stream = events(ask);
      return stream.write(changed.repeat(1_000));
    }
    if (ask.method !== 'tools/list') return undefined;
    lists += 1;
    stream?.write(changed.repeat(1_000));
    return result(ask, { tools: [TOOL, { ...TOOL, name: `made-up-${lists}` }] });
  });
  await using bench = await openMcpBench({ web: { url: server.url } });
  for (let passed = 0; passed < 3; passed += 1) {
    await bench.announced(`mcp__web__made-up-${passed + 2}`);
    // The list says all the time that it has changed, and nobody asks for it before the pause is over.
    for (let count = 0; count < 20; count += 1) assert.equal(await message(bench, 'mcp__web__go'), 'went');
    assert.equal(lists, passed + 2);
    await pauses.pass();
  }
});

test('E21: a stream that ends again and again, and wants to be opened again at once, is opened again after a pause', async () => {
  using pauses = heldPauses((ms) => ms === 200);
  await using server = await startRawServer((ask) => (ask.method === 'GET' ? events(ask).end('retry: 0\nid: 1\ndata:\n\n') : undefined));
  const opened = (): number => server.asked.filter((method) => method === 'GET').length;
  await using bench = await openMcpBench({ web: { url: server.url } });
  await bench.announced('mcp__web__go');
  for (let passed = 0; passed < 3; passed += 1) {
    while (opened() <= passed) await new Promise(setImmediate);
    for (let count = 0; count < 20; count += 1) assert.equal(await message(bench, 'mcp__web__go'), 'went');
    assert.equal(opened(), passed + 1);
    await pauses.pass();
  }
});

test('E21: of a list without an end so much is read as a machine announces', async () => {
  const tool = (name: string) => ({ ...TOOL, name, description: 'x'.repeat(500) });
  await using server = await startRawServer((ask) => {
    if (ask.method !== 'tools/list') return undefined;
    const page = Number(ask.params['cursor'] ?? 0);
    return result(ask, { tools: Array.from({ length: 400 }, (_, index) => tool(`t${page}-${index}`)), nextCursor: String(page + 1) });
  });
  await using bench = await openMcpBench({ web: { url: server.url } });
  await bench.announced('mcp__web__t0-1');
  assert.equal(bench.host.announced.length, 250);
  assert.equal(server.asked.filter((method) => method === 'tools/list').length, 3);
  assert.equal(bench.lines.filter((line) => line.includes('lists more tools than are read')).length, 1);
});

test('E21, E8: what a server answers is not trusted: depth, wrong shapes and strange names cost the call alone', async () => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  const raw = (ask: { response: { end(text: string): unknown }; id: number | undefined }, text: string) =>
    ask.response.end(`{"jsonrpc":"2.0","id":${ask.id},"result":${text}}`);
  const answers = [
    `{"content":[],"structuredContent":${deep}}`,
    '{"content":{"length":1e9}}',
    '{"content":[null,7,{"type":"text","text":{"toString":1}},{"type":"image","data":[]}]}',
    '{"__proto__":{"isError":true},"content":[{"type":"text","text":"plain"}]}',
    '7',
  ];
  await using server = await startRawServer((ask) => {
    if (ask.method === 'tools/list')
      return result(ask, {
        tools: [TOOL, { name: '__proto__', inputSchema: {} }, { name: 'constructor', inputSchema: { type: 'object' } }, null, { name: 7 }],
      });
    const next = ask.method === 'tools/call' ? answers.shift() : undefined;
    if (next === undefined) return undefined;
    ask.response.writeHead(200, { 'content-type': 'application/json' });
    return raw(ask, next);
  });
  await using bench = await openMcpBench({ web: { url: server.url } });
  await bench.announced('mcp__web__go');
  for (let left = answers.length; left > 0; left -= 1) assert.notEqual(await message(bench, 'mcp__web__go'), '');
  assert.equal(await message(bench, 'mcp__web__go'), 'went');
  assert.equal(await message(bench, 'mcp__web__constructor'), 'went');
});

/** A server over stdio that greets, lists one tool, and does `odd` when it is called. */
const stdioServer = (odd: string) => ({
  command: process.execPath,
  args: [
    '-e',
    `const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
    const lines = require('node:readline').createInterface({ input: process.stdin });
    lines.on('line', (line) => {
      const { id, method } = JSON.parse(line);
      if (method === 'initialize') say({ id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'x', version: '1' } } });
      if (method === 'tools/list') say({ id, result: { tools: [${JSON.stringify(TOOL)}] } });
      if (method === 'tools/call') { ${odd} }
    });`,
  ],
});

test('E21: a server over stdio that writes without an end, or asks without reading the answers, is ended and started again', async () => {
  const endless = "const more = () => process.stdout.write('x'.repeat(1 << 20), more); more();";
  const unread = "lines.pause(); process.stdin.pause(); for (let n = 0; n < 400; n += 1) say({ id: 'x'.repeat(1e5) + n, method: 'ping' });";
  await using bench = await openMcpBench({ endless: stdioServer(endless), unread: stdioServer(unread) });
  for (const [name, why] of [
    ['endless', /exceeded maximum size/],
    ['unread', /left more than \d+ bytes unread/],
  ] as const) {
    await bench.announced(`mcp__${name}__go`);
    const said = await message(bench, `mcp__${name}__go`);
    assert.match(said, /ended while this ran/);
    assert.match(said, why);
    const readies = () => bench.lines.filter((line) => line.includes(`"mcpServer":"${name}"`) && line.includes('is ready')).length;
    while (readies() < 2) await new Promise(setImmediate);
  }
});

test('E21: a server that answers every try with megabytes fills neither the log nor what is told of it', async () => {
  let tries = 0;
  const http = createServer((_request, response) => {
    tries += 1;
    response.writeHead(500).end(`${tries} ${MIB}${MIB}`);
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  try {
    await using bench = await openMcpBench({ loud: { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp` } });
    await bench.logged(/does not run: .*\b2 x/);
    const [shown] = bench.host.servers;
    assert.ok(shown?.state === 'failed' && shown.reason.length < 10_000, 'what is told');
    assert.ok(Math.max(...bench.lines.map((line) => line.length)) < 50_000, 'a line of the log');
  } finally {
    http.closeAllConnections();
    http.close();
  }
});
