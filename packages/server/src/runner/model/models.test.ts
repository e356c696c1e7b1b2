import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { Message } from '@tendon/protocol';
import { calls, ScriptedModel, says, thinks } from '@tendon/testing';
import type { HistoryItem, ModelConfig, StepOutcome } from './model-port.ts';
import { createModels } from './models.ts';
import { type Reply, ScriptedProvider } from './provider-dialects.test-kit.ts';
import { ollamaUrl, versionedUrl } from './providers.ts';
import { retryDelayMs } from './step.ts';

const message: Message = {
  id: 'm',
  sessionId: 's',
  seq: 1,
  role: 'user',
  state: 'complete',
  parts: [{ type: 'text', text: 'hi' }],
  createdAt: '2026-01-01T00:00:00.000Z',
};
const HISTORY: readonly HistoryItem[] = [{ message, calls: [] }];
const TOOLS = [{ name: 'bash', description: 'run', inputSchema: { type: 'object', properties: {} } }];
/** Nobody listens at port 9 of loopback: no Ollama of this machine is asked. */
const NO_OLLAMA = 'http://127.0.0.1:9';

function step(config: ModelConfig, model: string): Promise<StepOutcome> {
  const request = { model, instructions: 'Be brief.', history: HISTORY, tools: TOOLS, signal: new AbortController().signal };
  return createModels(config, { random: () => 0 }).step(request, { partStarted: () => undefined, delta: () => undefined });
}

function json(value: unknown): Reply {
  return (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function lines(type: string, rows: readonly unknown[], frame: (row: unknown) => string): Reply {
  return (response) => void response.writeHead(200, { 'content-type': type }).end(rows.map(frame).join(''));
}

const sse = (row: unknown): string => `data: ${JSON.stringify(row)}\n\n`;

describe('models', () => {
  const refused: readonly [string, ModelConfig, string, RegExp][] = [
    ['gpt-5', {}, 'model_unknown', /provider\/model.*demo, openai/],
    ['nobody/x', {}, 'model_unknown', /"nobody\/x" is no model/],
    ['openai/', { openaiKey: 'k' }, 'model_unknown', /provider\/model/],
    ['/x', {}, 'model_unknown', /provider\/model/],
    ['', {}, 'model_unknown', /provider\/model/],
    ['__proto__/x', {}, 'model_unknown', /provider\/model/],
    ['openai/gpt-5', {}, 'model_not_configured', /OPENAI_API_KEY/],
    ['anthropic/c', {}, 'model_not_configured', /ANTHROPIC_API_KEY/],
    ['google/g', {}, 'model_not_configured', /GOOGLE_GENERATIVE_AI_API_KEY/],
    ['compatible/a/b', {}, 'model_not_configured', /TENDON_COMPATIBLE_URL/],
  ];
  for (const [model, config, code, expected] of refused) {
    it(`M14: "${model}" is refused as ${code} before anything is sent`, async () => {
      const fault = createModels(config).check(model);
      assert.equal(fault?.code, code);
      assert.match(fault.message, expected);
      assert.deepEqual(await step(config, model), { kind: 'failed', parts: [], error: fault, retryable: false });
    });
  }

  it('M14: what is configured, and the demo, can be tried', () => {
    assert.equal(createModels({ openaiKey: 'k' }).check('openai/gpt-5'), undefined);
    assert.equal(createModels({ compatibleUrl: 'http://x' }).check('compatible/org/name'), undefined);
    for (const model of ['demo', 'demo/tendon', 'ollama/llama']) assert.equal(createModels({}).check(model), undefined);
  });

  it('M14: the list says what is missing, available ones first, the chosen one among them', async () => {
    const rows = await createModels({ anthropicKey: 'k', model: 'anthropic/claude-of-mine', ollamaUrl: NO_OLLAMA }).list();
    assert.ok(rows.some((row) => row.id === 'anthropic/claude-of-mine' && row.available));
    assert.ok(rows.some((row) => row.id === 'demo/tendon' && row.available));
    const openai = rows.filter((row) => row.id.startsWith('openai/'));
    assert.ok(openai.length > 0 && openai.every((row) => !row.available && row.hint === 'Needs a key: on the page Models, or OPENAI_API_KEY for the server.'));
    assert.equal(
      rows.findIndex((row) => !row.available),
      rows.filter((row) => row.available).length,
    );
  });

  it('M15: the order of what decides the first model', async () => {
    await using server = await ScriptedProvider.start();
    const compatible = { compatibleUrl: `${server.url}/v1`, compatibleKey: 'k', ollamaUrl: NO_OLLAMA };
    assert.equal(await createModels({ model: 'openai/mine', anthropicKey: 'k' }).defaultModel(), 'openai/mine');
    assert.equal(await createModels({ model: 'demo', anthropicKey: 'k' }).defaultModel(), 'demo/tendon');
    assert.match(await createModels({ anthropicKey: 'k', ollamaUrl: NO_OLLAMA }).defaultModel(), /^anthropic\//);
    server.script(json({ data: [{ id: 'org/small' }, { id: 'big' }] }));
    const models = createModels(compatible);
    assert.equal(await models.defaultModel(), 'compatible/org/small');
    server.script(json({ models: [{ name: 'llama3:8b' }] }));
    assert.equal(await createModels({ ollamaUrl: server.url.replace('http://', '') }).defaultModel(), 'ollama/llama3:8b');
    assert.equal(server.requests[0]?.url, '/api/tags');
    for (const nonsense of [
      json({ models: 'x' }),
      json(null),
      ((response) => void response.writeHead(500).end()) satisfies Reply,
      ((response) => void response.destroy()) satisfies Reply,
    ]) {
      server.script(nonsense);
      assert.equal(await createModels({ ...compatible, ollamaUrl: server.url }).defaultModel(), 'demo/tendon');
    }
    assert.equal(await createModels({ ollamaUrl: NO_OLLAMA }).defaultModel(), 'demo/tendon');
  });

  it('M15: the list has the models of a compatible server and of an Ollama at once, whatever decides the first one', async () => {
    await using server = await ScriptedProvider.start();
    const compatible = { compatibleUrl: `${server.url}/v1`, compatibleKey: 'k', ollamaUrl: NO_OLLAMA };
    for (const config of [{}, { model: 'demo' }, { anthropicKey: 'k' }]) {
      server.script(json({ data: [{ id: 'org/small' }, { id: 'big' }] }));
      const rows = await createModels({ ...compatible, ...config }).list();
      assert.ok(
        rows.some((row) => row.id === 'compatible/big' && row.available),
        JSON.stringify(config),
      );
    }
    server.script(json({ models: [{ name: 'llama3:8b' }] }));
    const rows = await createModels({ model: 'demo', ollamaUrl: server.url }).list();
    assert.ok(rows.some((row) => row.id === 'ollama/llama3:8b' && row.available));
  });

  it('M15: an Ollama address is taken as people write it', () => {
    assert.equal(ollamaUrl({}), 'http://127.0.0.1:11434');
    assert.equal(ollamaUrl({ ollamaUrl: '0.0.0.0:11434' }), 'http://127.0.0.1:11434');
    assert.equal(ollamaUrl({ ollamaUrl: 'https://box.local/' }), 'https://box.local');
  });

  it('M15: a base address without a path gets the version that the SDK expects', () => {
    assert.equal(versionedUrl(undefined, 'https://api.example/v1'), 'https://api.example/v1');
    assert.equal(versionedUrl('https://proxy.example', 'https://api.example/v1'), 'https://proxy.example/v1');
    assert.equal(versionedUrl('https://proxy.example/api/v2/', 'https://api.example/v1'), 'https://proxy.example/api/v2');
  });

  it('M16: the list, the check and a turn of the demo load nothing of the AI SDK; a warm-up does', async () => {
    const script = `
      import { registerHooks } from 'node:module';
      const loaded = [];
      registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
      const { createModels } = await import(${JSON.stringify(new URL('./models.ts', import.meta.url).href)});
      const models = createModels({ anthropicKey: 'k' }, { demoPaceMs: 0 });
      await models.list(); models.check('anthropic/x'); await models.defaultModel();
      await models.step({ model: 'demo', instructions: '', history: [], tools: [], signal: new AbortController().signal }, { partStarted() {}, delta() {} });
      const sdk = () => loaded.filter((url) => /node_modules\\/(ai|@ai-sdk|ai-sdk-ollama|ollama)\\//.test(url)).length;
      const before = sdk();
      models.warmUp('anthropic/x'); models.warmUp('nobody/x');
      while (sdk() === 0) await new Promise(setImmediate);
      process.stdout.write(String(before));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    assert.equal(stdout, '0');
  });

  it('M9: pauses grow with jitter, heed the provider, and end where a retry is of no use', () => {
    const busy = { code: 'model_unavailable', retryable: true } as const;
    assert.deepEqual(
      [0, 1].map((retry) => retryDelayMs(busy, retry, 1)),
      [500, 1_000],
    );
    assert.deepEqual(
      [0, 1].map((retry) => retryDelayMs(busy, retry, 0)),
      [250, 500],
    );
    assert.equal(retryDelayMs({ ...busy, retryAfterMs: 1_234 }, 0, 0), 1_234);
    assert.equal(retryDelayMs({ ...busy, retryAfterMs: 60_000 }, 0, 0), undefined);
    assert.equal(retryDelayMs({ ...busy, retryable: false }, 0, 0), undefined);
    assert.equal(retryDelayMs({ code: 'model_timeout', retryable: true }, 0, 0), undefined);
  });

  for (const provider of ['compatible', 'openai', 'anthropic'] as const) {
    it(`M2 M3: ${provider}: parallel calls whose inputs arrive in turns keep their own input`, async () => {
      await using scripted = await ScriptedModel.start();
      const { url } = scripted;
      const config = { compatibleUrl: url, openaiKey: 'k', anthropicKey: 'k', baseUrls: { openai: url, anthropic: url } };
      const both = calls({ name: 'bash', input: { command: 'ls -la /one' }, pieces: 5 }, { name: 'bash', input: '{"command": "no end' });
      scripted.script({ steps: [...thinks('Hm', 'm.'), ...says('On ', 'it.'), both], usage: { inputTokens: 21, outputTokens: 9 } });
      const outcome = await step(config, `${provider}/scripted`);
      assert.equal(outcome.kind, 'completed', JSON.stringify(outcome));
      assert.deepEqual(outcome.usage, { inputTokens: 21, outputTokens: 9 });
      assert.deepEqual(
        outcome.parts.map((part) => (part.type === 'tool_call' ? part.inputText : `${part.type}: ${part.text}`)),
        ['reasoning: Hmm.', 'text: On it.', '{"command":"ls -la /one"}', '{"command": "no end'],
      );
    });
  }

  it('M1 M5: OpenAI is asked through its Responses, and keeps nothing', async () => {
    await using server = await ScriptedProvider.start();
    const response = { id: 'r', created_at: 1, model: 'gpt-test' };
    server.script(
      lines(
        'text/event-stream',
        [
          { type: 'response.created', response },
          { type: 'response.output_item.added', output_index: 0, item: { type: 'message', id: 'i0' } },
          { type: 'response.output_text.delta', item_id: 'i0', delta: 'Hello.' },
          { type: 'response.output_item.done', output_index: 0, item: { type: 'message', id: 'i0' } },
          { type: 'response.output_item.added', output_index: 1, item: { type: 'function_call', id: 'i1', call_id: 'c1', name: 'bash', arguments: '' } },
          { type: 'response.function_call_arguments.delta', item_id: 'i1', output_index: 1, delta: '{"command":"ls"}' },
          {
            type: 'response.output_item.done',
            output_index: 1,
            item: { type: 'function_call', id: 'i1', call_id: 'c1', name: 'bash', arguments: '{"command":"ls"}', status: 'completed' },
          },
          { type: 'response.completed', response: { ...response, usage: { input_tokens: 5, output_tokens: 3 } } },
        ],
        sse,
      ),
    );
    const outcome = await step({ openaiKey: 'k', baseUrls: { openai: `${server.url}/v1` } }, 'openai/gpt-test');
    assert.equal(outcome.kind, 'completed', JSON.stringify(outcome));
    assert.deepEqual(outcome.parts, [
      { type: 'text', text: 'Hello.' },
      { type: 'tool_call', tool: 'bash', inputText: '{"command":"ls"}' },
    ]);
    assert.deepEqual(outcome.usage, { inputTokens: 5, outputTokens: 3 });
    assert.equal(server.requests[0]?.url, '/v1/responses');
    assert.equal(server.requests[0]?.body.store, false);
  });

  it('M1 M3: Google is asked, and its thought signature comes with the call', async () => {
    await using server = await ScriptedProvider.start();
    const parts = [{ text: 'Hello.' }, { functionCall: { name: 'bash', args: { command: 'ls' } }, thoughtSignature: 'sig' }];
    server.script(
      lines(
        'text/event-stream',
        [{ candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP' }], usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 3 } }],
        sse,
      ),
    );
    const outcome = await step({ googleKey: 'k', baseUrls: { google: `${server.url}/v1beta` } }, 'google/gemini-test');
    assert.equal(outcome.kind, 'completed', JSON.stringify(outcome));
    const metadata = { google: { thoughtSignature: 'sig' } };
    assert.deepEqual(outcome.parts, [
      { type: 'text', text: 'Hello.' },
      { type: 'tool_call', tool: 'bash', inputText: '{"command":"ls"}', metadata },
    ]);
  });

  it('M1 M10: Ollama is asked; a model that it does not have is said to be unknown', async () => {
    await using server = await ScriptedProvider.start();
    const row = { model: 'llama', created_at: '2026-01-01T00:00:00Z' };
    server.script(
      lines(
        'application/x-ndjson',
        [
          { ...row, message: { role: 'assistant', content: 'Hel' }, done: false },
          { ...row, message: { role: 'assistant', content: 'lo.', tool_calls: [{ function: { name: 'bash', arguments: { command: 'ls' } } }] }, done: false },
          { ...row, message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop', prompt_eval_count: 5, eval_count: 3 },
        ],
        (line) => `${JSON.stringify(line)}\n`,
      ),
    );
    const outcome = await step({ ollamaUrl: server.url }, 'ollama/llama');
    assert.equal(outcome.kind, 'completed', JSON.stringify(outcome));
    assert.deepEqual(outcome.parts, [
      { type: 'text', text: 'Hello.' },
      { type: 'tool_call', tool: 'bash', inputText: '{"command":"ls"}' },
    ]);
    assert.deepEqual(outcome.usage, { inputTokens: 5, outputTokens: 3 });
    server.script((response) => void response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"model \'x\' not found"}'));
    const missing = await step({ ollamaUrl: server.url }, 'ollama/x');
    assert.equal(missing.kind === 'failed' && missing.error.code, 'model_unknown', JSON.stringify(missing));
    const nobody = await step({ ollamaUrl: NO_OLLAMA }, 'ollama/x');
    assert.equal(nobody.kind === 'failed' && nobody.error.code, 'model_unavailable', JSON.stringify(nobody));
  });

  it('M11: an abort reaches Ollama too', async () => {
    await using server = await ScriptedProvider.start();
    server.script((response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write(`${JSON.stringify({ model: 'l', created_at: '2026-01-01T00:00:00Z', message: { role: 'assistant', content: 'tick' }, done: false })}\n`);
    });
    const abort = new AbortController();
    const request = { model: 'ollama/l', instructions: '', history: HISTORY, tools: [], signal: abort.signal };
    const outcome = await createModels({ ollamaUrl: server.url }).step(request, { partStarted: () => undefined, delta: () => abort.abort() });
    assert.deepEqual(outcome, { kind: 'aborted', parts: [{ type: 'text', text: 'tick' }] });
    await server.requests[0]?.closed;
  });
});
