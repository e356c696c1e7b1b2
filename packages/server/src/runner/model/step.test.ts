import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, describe, it } from 'node:test';
import type { Call, Message } from '@tendon/protocol';
import type { HistoryItem, ModelConfig, ModelPort, StartedPart, StepOutcome, StepRequest, StepSink } from './model-port.ts';
import { createModels } from './models.ts';
import { ANTHROPIC, COMPATIBLE, type Dialect, type Reply, ScriptedProvider } from './provider-dialects.test-kit.ts';

const AT = '2026-01-01T00:00:00.000Z';
const CALL_ID = '01234567-89ab-7def-8123-456789abcdef';
const TOOLS = [{ name: 'bash', description: 'run', inputSchema: { type: 'object', properties: { command: { type: 'string' } } } }];

function said(role: Message['role'], text: string): HistoryItem {
  const message: Message = { id: CALL_ID, sessionId: CALL_ID, seq: 1, role, state: 'complete', parts: [{ type: 'text', text }], createdAt: AT };
  return { message, calls: [] };
}

function called(state: Call['state']): HistoryItem {
  const call: Call = {
    id: CALL_ID,
    sessionId: CALL_ID,
    messageId: CALL_ID,
    tool: 'bash',
    kind: 'local',
    effect: 'execute',
    input: { command: 'ls' },
    inputHash: 'h',
    state,
    createdAt: AT,
    ...(state === 'succeeded' ? { result: { status: 'succeeded', content: [{ type: 'text', text: 'a.txt' }] } } : {}),
  };
  const item = said('assistant', 'Looking.');
  return { message: { ...item.message, parts: [...item.message.parts, { type: 'tool_call', callId: CALL_ID }] }, calls: [call] };
}

/** Writes down what the sink hears, and checks M2 while it does. */
class Recorder implements StepSink {
  readonly started: StartedPart[] = [];
  readonly texts: string[] = [];
  onDelta: (text: string) => void = () => undefined;

  partStarted(index: number, part: StartedPart): void {
    assert.equal(index, this.started.length);
    this.started.push(part);
    this.texts.push('');
  }

  delta(index: number, text: string): void {
    assert.notEqual(text, '');
    assert.ok(index < this.texts.length);
    this.texts[index] += text;
    this.onDelta(text);
  }
}

interface Run {
  readonly outcome: StepOutcome;
  readonly heard: Recorder;
}

async function run(models: ModelPort, model: string, more: Partial<StepRequest> & { heard?: Recorder } = {}): Promise<Run> {
  const heard = more.heard ?? new Recorder();
  const outcome = await models.step(
    { model, instructions: 'Be brief.', history: [said('user', 'hi')], tools: TOOLS, signal: new AbortController().signal, ...more },
    heard,
  );
  return { outcome, heard };
}

function assertFailed(outcome: StepOutcome, code: string, isRetryable?: boolean): asserts outcome is Extract<StepOutcome, { kind: 'failed' }> {
  assert.equal(outcome.kind, 'failed', JSON.stringify(outcome));
  assert.equal(outcome.error.code, code, outcome.error.message);
  if (isRetryable !== undefined) assert.equal(outcome.retryable, isRetryable);
  assert.doesNotMatch(JSON.stringify(outcome), /secret-|Bearer|x-api-key|\n\s+at /);
}

function status(code: number, body: string, headers: Record<string, string> = {}): Reply {
  return (response) => void response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(body);
}

function body(value: unknown): string {
  return JSON.stringify(value);
}

for (const dialect of [COMPATIBLE, ANTHROPIC] satisfies Dialect[]) {
  describe(`model step over HTTP: ${dialect.name}`, async () => {
    const provider = await ScriptedProvider.start();
    after(() => provider[Symbol.asyncDispose]());
    const make = (more: ModelConfig = {}): ModelPort => createModels({ ...dialect.config(provider.url), ...more }, { random: () => 0 });
    const models = make();
    const answer: Reply = (response) => {
      dialect.begin(response);
      dialect.text(response, 'Hel');
      dialect.text(response, 'lo.');
      dialect.finish(response, 'stop');
    };

    it('M1 M2 M5: text streams in order and ends with its usage', async () => {
      provider.script(answer);
      const { outcome, heard } = await run(models, dialect.model);
      assert.deepEqual(outcome, {
        kind: 'completed',
        parts: [{ type: 'text', text: 'Hello.' }],
        usage: { inputTokens: 11, outputTokens: 7 },
        finishReason: 'stop',
      });
      assert.deepEqual(heard.texts, ['Hello.']);
    });

    it('M2: reasoning, text and reasoning again are parts of their own', async () => {
      provider.script((response) => {
        dialect.begin(response);
        dialect.reasoning(response, 'first ');
        dialect.reasoning(response, 'thought');
        dialect.text(response, 'Answer.');
        dialect.reasoning(response, 'second');
        dialect.text(response, 'More.');
        dialect.finish(response, 'stop');
      });
      const { outcome, heard } = await run(models, dialect.model);
      assert.deepEqual(
        outcome.parts.map((part) => (part.type === 'tool_call' ? part : `${part.type}: ${part.text}`)),
        ['reasoning: first thought', 'text: Answer.', 'reasoning: second', 'text: More.'],
      );
      assert.deepEqual(heard.texts, ['first thought', 'Answer.', 'second', 'More.']);
    });

    it('M3: parallel calls come one by one, and input that is no JSON as it is', async () => {
      provider.script((response) => {
        dialect.begin(response);
        dialect.text(response, 'Both.');
        dialect.call(response, { index: 0, tool: 'bash', pieces: ['{"comm', 'and":"ls"}'] });
        dialect.call(response, { index: 1, tool: 'invented', pieces: ['{"broken": '] });
        dialect.finish(response, 'tool');
      });
      const { outcome, heard } = await run(models, dialect.model);
      assert.equal(outcome.kind, 'completed');
      assert.equal(outcome.finishReason, 'tool-calls');
      assert.deepEqual(outcome.parts, [
        { type: 'text', text: 'Both.' },
        { type: 'tool_call', tool: 'bash', inputText: '{"command":"ls"}' },
        { type: 'tool_call', tool: 'invented', inputText: '{"broken": ' },
      ]);
      assert.deepEqual(heard.started, [{ type: 'text' }, { type: 'tool_call', tool: 'bash' }, { type: 'tool_call', tool: 'invented' }]);
      assert.deepEqual(heard.texts, ['Both.', '{"command":"ls"}', '{"broken": ']);
    });

    for (const state of ['succeeded', 'denied', 'unknown'] as const) {
      it(`M4: the next request carries the call that ${state} with its result, and the tools`, async () => {
        provider.script(answer);
        await run(models, dialect.model, { history: [said('user', 'list'), called(state)] });
        const sent = body(provider.requests[0]?.body);
        const expected = { succeeded: /a\.txt/, denied: /person denied this call/, unknown: /not known whether this call finished/ };
        assert.match(sent, expected[state]);
        assert.equal(sent.split(CALL_ID).length - 1, 2, 'the call and its result, once each');
        assert.match(sent, /"name":"bash"/);
        assert.match(sent, /Be brief\./);
      });
    }

    it('M4: a tool with a name that the provider refuses comes back under its own', async () => {
      provider.script((response, request) => {
        const name = /mcp_files_read_[0-9a-f]{8}/.exec(body(request.body))?.[0] ?? 'nothing';
        dialect.begin(response);
        dialect.call(response, { index: 0, tool: name, pieces: ['{}'] });
        dialect.finish(response, 'tool');
      });
      const tool = { name: 'mcp/files.read', description: 'd', inputSchema: { type: 'object' } };
      const { outcome } = await run(models, dialect.model, { tools: [tool, tool] });
      assert.deepEqual(outcome.parts, [{ type: 'tool_call', tool: 'mcp/files.read', inputText: '{}' }]);
      assert.equal(body(provider.requests[0]?.body).match(/"mcp_files_read_/g)?.length, 1);
    });

    it('M6: an error in the stream keeps what came, and the request is not repeated', async () => {
      provider.script((response) => {
        dialect.begin(response);
        dialect.text(response, 'Half');
        dialect.error(response);
        response.end();
      });
      const { outcome } = await run(models, dialect.model);
      assertFailed(outcome, 'model_unavailable', true);
      assert.deepEqual(outcome.parts, [{ type: 'text', text: 'Half' }]);
      assert.equal(provider.requests.length, 1);
    });

    it('M7: a connection cut in the middle keeps what came', async () => {
      provider.script((response) => {
        dialect.begin(response);
        dialect.text(response, 'Half');
        setImmediate(() => response.socket?.destroy());
      });
      const { outcome } = await run(models, dialect.model);
      assertFailed(outcome, 'model_unavailable', true);
      assert.deepEqual(outcome.parts, [{ type: 'text', text: 'Half' }]);
      assert.equal(provider.requests.length, 1);
    });

    it('M7: a call cut in the middle of its input does not complete the step', async () => {
      provider.script((response) => {
        dialect.begin(response);
        dialect.call(response, { index: 0, tool: 'bash', pieces: ['{"command":"rm'] });
        response.end();
      });
      assertFailed((await run(models, dialect.model)).outcome, 'model_bad_response', true);
    });

    const broken: readonly [string, (response: ServerResponse) => void][] = [
      ['an end without a finish', (response) => dialect.text(response, 'Half')],
      ['an empty answer', (response) => dialect.finish(response, 'stop')],
      [
        'an answer of white space',
        (response) => {
          dialect.text(response, ' \n');
          dialect.finish(response, 'stop');
        },
      ],
      [
        'a limit reached while thinking',
        (response) => {
          dialect.reasoning(response, 'hm');
          dialect.finish(response, 'length');
        },
      ],
      [
        'a malformed body',
        (response) => {
          dialect.text(response, 'Half');
          response.write('data: {"broken\n\n');
        },
      ],
      ['a body of another kind', (response) => void response.write('data: [1,2,3]\n\n')],
    ];
    for (const [what, write] of broken) {
      it(`M7: ${what} fails as retryable`, async () => {
        provider.script((response) => {
          dialect.begin(response);
          write(response);
          if (!response.writableEnded) response.end();
        });
        assertFailed((await run(models, dialect.model)).outcome, 'model_bad_response', true);
        assert.equal(provider.requests.length, 1);
      });
    }

    it('M7: a page of HTML instead of a stream fails', async () => {
      provider.script((response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>sign in</html>'));
      assertFailed((await run(models, dialect.model)).outcome, 'model_bad_response');
    });

    const silent: readonly [string, Reply][] = [
      ['before the headers', () => undefined],
      ['before the first part', (response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()],
      [
        'between two parts',
        (response) => {
          dialect.begin(response);
          dialect.text(response, 'Half');
        },
      ],
    ];
    for (const [when, reply] of silent) {
      it(`M8: silence ${when} is a timeout that closes the connection`, async () => {
        provider.script(reply);
        // Of the two that is not meant here does not come: the request, and what is said before the silence, have all the time that they take.
        const isBegun = when === 'between two parts';
        const timeouts = isBegun ? { firstChunkTimeoutMs: 60_000, idleTimeoutMs: 150 } : { firstChunkTimeoutMs: 1_000, idleTimeoutMs: 60_000 };
        const { outcome } = await run(make(timeouts), dialect.model);
        assertFailed(outcome, 'model_timeout', true);
        assert.deepEqual(outcome.parts, isBegun ? [{ type: 'text', text: 'Half' }] : []);
        await provider.requests[0]?.closed;
        assert.equal(provider.requests.length, 1);
      });
    }

    for (const code of [429, 500, 503, 529]) {
      it(`M9: ${code} is tried again, at most twice`, async () => {
        provider.script(status(code, dialect.refusal('busy'), { 'retry-after-ms': '1' }), answer);
        const { outcome } = await run(models, dialect.model);
        assert.equal(outcome.kind, 'completed');
        assert.equal(provider.requests.length, 2);
        provider.script(status(code, dialect.refusal('busy'), { 'retry-after': '0' }));
        assertFailed((await run(models, dialect.model)).outcome, code === 429 ? 'model_rate_limited' : 'model_unavailable', true);
        assert.equal(provider.requests.length, 3);
      });
    }

    it('M9: a connection cut before the first part is tried again', async () => {
      provider.script((response) => void response.socket?.destroy(), answer);
      assert.equal((await run(models, dialect.model)).outcome.kind, 'completed');
      assert.equal(provider.requests.length, 2);
    });

    it('M9: a longer wait than is sensible is told instead', async () => {
      provider.script(status(429, dialect.refusal('slow down'), { 'retry-after': '3600' }));
      assertFailed((await run(models, dialect.model)).outcome, 'model_rate_limited', true);
      assert.equal(provider.requests.length, 1);
    });

    const refused: readonly [number, string, string][] = [
      [401, `wrong key ${dialect.key}`, 'model_unauthorized'],
      [402, 'pay first', 'model_rate_limited'],
      [403, 'not you', 'model_unauthorized'],
      [404, 'no such model', 'model_unknown'],
      [400, `temperature with ${dialect.key} is wrong\n    at stack (x.js:1)`, 'model_bad_response'],
      [429, 'You exceeded your current quota: insufficient_quota', 'model_rate_limited'],
    ];
    for (const [code, text, fault] of refused) {
      it(`M10 M12: ${code} "${text.slice(0, 16)}" is ${fault}, once, and names the model`, async () => {
        provider.script(status(code, dialect.refusal(text)));
        const { outcome } = await run(models, dialect.model);
        assertFailed(outcome, fault, false);
        assert.match(outcome.error.message, code === 404 ? /small|claude-test/ : new RegExp(dialect.model));
        assert.equal(provider.requests.length, 1);
      });
    }

    it('M11: an abort while it streams closes the connection, and the sink hears no more', async () => {
      provider.script((response) => {
        dialect.begin(response);
        const timer = setInterval(() => dialect.text(response, 'tick '), 2);
        response.on('close', () => clearInterval(timer));
      });
      const abort = new AbortController();
      const heard = new Recorder();
      let deltas = 0;
      heard.onDelta = () => {
        deltas += 1;
        if (deltas === 3) abort.abort();
      };
      const { outcome } = await run(models, dialect.model, { signal: abort.signal, heard });
      assert.deepEqual(outcome, { kind: 'aborted', parts: [{ type: 'text', text: 'tick tick tick ' }] });
      await provider.requests[0]?.closed;
      assert.equal(deltas, 3);
    });

    it('M11: an abort before the headers closes the connection', async () => {
      const abort = new AbortController();
      provider.script(() => abort.abort());
      const { outcome } = await run(models, dialect.model, { signal: abort.signal });
      assert.deepEqual(outcome, { kind: 'aborted', parts: [] });
      await provider.requests[0]?.closed;
    });

    it('M11: an abort ends the pause before another try', async () => {
      const abort = new AbortController();
      provider.script((response) => {
        response.writeHead(429, { 'retry-after': '15' }).end(dialect.refusal('busy'));
        response.on('finish', () => setTimeout(() => abort.abort(), 50));
      });
      assert.deepEqual((await run(models, dialect.model, { signal: abort.signal })).outcome, { kind: 'aborted', parts: [] });
      assert.equal(provider.requests.length, 1);
    });

    it('M11: a step that is aborted already asks nobody', async () => {
      provider.script(answer);
      assert.deepEqual((await run(models, dialect.model, { signal: AbortSignal.abort() })).outcome, { kind: 'aborted', parts: [] });
      assert.equal(provider.requests.length, 0);
    });

    it('M13: a content filter keeps what came and is no retry', async () => {
      provider.script((response) => {
        dialect.begin(response);
        dialect.text(response, 'I cannot');
        dialect.finish(response, 'filter');
      });
      const { outcome } = await run(models, dialect.model);
      assertFailed(outcome, 'model_refused', false);
      assert.deepEqual(outcome.parts, [{ type: 'text', text: 'I cannot' }]);
      assert.deepEqual(outcome.usage, { inputTokens: 11, outputTokens: 7 });
    });

    it('M13: a full context is tried once with a shorter history', async () => {
      const full = status(400, dialect.refusal('prompt is too long: 250000 tokens > 200000 maximum'));
      const history = Array.from({ length: 20 }, (_, index) => said(index % 2 === 0 ? 'user' : 'assistant', `${index} ${'x'.repeat(200)}`)).concat(
        said('user', 'the newest'),
      );
      provider.script(full, answer);
      assert.equal((await run(models, dialect.model, { history })).outcome.kind, 'completed');
      const [first, second] = provider.requests.map((request) => body(request.body));
      assert.ok(first && second && second.length < first.length / 2);
      assert.match(second, /the newest/);
      provider.script(full);
      assertFailed((await run(models, dialect.model, { history })).outcome, 'model_context_full', false);
      assert.equal(provider.requests.length, 2);
    });

    it('M5: an answer cut by its length limit is complete and says so', async () => {
      provider.script((response) => {
        dialect.begin(response);
        dialect.text(response, 'And then');
        dialect.finish(response, 'length');
      });
      const { outcome } = await run(models, dialect.model);
      assert.equal(outcome.kind === 'completed' && outcome.finishReason, 'length');
    });
  });
}

describe('model step without a provider', () => {
  it('M12 M9: a refused connection is tried again and names the variable to check', async () => {
    const provider = await ScriptedProvider.start();
    const { url } = provider;
    await provider[Symbol.asyncDispose]();
    const models = createModels(COMPATIBLE.config(url), { random: () => 0 });
    const { outcome } = await run(models, COMPATIBLE.model);
    assertFailed(outcome, 'model_unavailable', true);
    assert.match(outcome.error.message, /TENDON_COMPATIBLE_URL/);
  });
});
