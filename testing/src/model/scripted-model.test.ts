import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { type LanguageModel, streamText, tool } from 'ai';
import { z } from 'zod';
import { createGate } from '../gate.ts';
import { within } from '../until.ts';
import { calls, readTokenStamps, says, stampedTokens, thinks, waitsFor } from './script.ts';
import { ScriptedModel } from './scripted-model.ts';

const model = await ScriptedModel.start();
after(() => model.close());

const PROVIDERS: Record<string, LanguageModel> = {
  'openai-compatible': createOpenAICompatible({ name: 'compatible', baseURL: model.url, includeUsage: true })('scripted'),
  'openai chat': createOpenAI({ apiKey: 'key', baseURL: model.url }).chat('gpt-scripted'),
  'openai responses': createOpenAI({ apiKey: 'key', baseURL: model.url })('gpt-scripted'),
  anthropic: createAnthropic({ apiKey: 'key', baseURL: model.url })('claude-scripted'),
};

const bash = tool({ description: 'Run a command', inputSchema: z.object({ command: z.string() }) });
const readFile = tool({ description: 'Read a file', inputSchema: z.object({ path: z.string() }) });

interface Seen {
  text: string;
  reasoning: string;
  calls: { name: string; input: unknown; invalid: boolean }[];
  inputDeltas: number;
  errors: string[];
  thrown: string | undefined;
  aborted: boolean;
  finish: string | undefined;
  usage: { input: number | undefined; output: number | undefined };
}

async function ask(languageModel: LanguageModel, abortSignal?: AbortSignal): Promise<Seen> {
  const seen: Seen = {
    text: '',
    reasoning: '',
    calls: [],
    inputDeltas: 0,
    errors: [],
    thrown: undefined,
    aborted: false,
    finish: undefined,
    usage: { input: undefined, output: undefined },
  };
  const result = streamText({
    model: languageModel,
    prompt: 'go',
    tools: { bash, read_file: readFile },
    maxRetries: 0,
    onError: () => undefined,
    ...(abortSignal ? { abortSignal } : {}),
  });
  try {
    for await (const part of result.stream) {
      if (part.type === 'text-delta') seen.text += part.text;
      else if (part.type === 'reasoning-delta') seen.reasoning += part.text;
      else if (part.type === 'tool-input-delta') seen.inputDeltas += 1;
      else if (part.type === 'tool-call') seen.calls.push({ name: part.toolName, input: part.input, invalid: 'invalid' in part && part.invalid === true });
      else if (part.type === 'error') seen.errors.push(part.error instanceof Error ? part.error.message : JSON.stringify(part.error));
      else if (part.type === 'abort') seen.aborted = true;
      else if (part.type === 'finish') {
        seen.finish = part.finishReason;
        seen.usage = { input: part.totalUsage.inputTokens, output: part.totalUsage.outputTokens };
      }
    }
  } catch (error) {
    seen.thrown = String(error);
  }
  return seen;
}

for (const [name, provider] of Object.entries(PROVIDERS)) {
  describe(`the scripted model, asked through ${name}`, () => {
    test('streams text, deltas in order, and its usage', async () => {
      model.script({ steps: says('Hel', 'lo ', 'wörld'), usage: { inputTokens: 12, outputTokens: 34 } });
      const seen = await ask(provider);
      assert.deepEqual([seen.text, seen.finish, seen.errors, seen.usage], ['Hello wörld', 'stop', [], { input: 12, output: 34 }]);
    });

    test('streams reasoning before text', async () => {
      model.script([...thinks('let me ', 'see'), ...says('done')]);
      const seen = await ask(provider);
      assert.equal(seen.text, 'done');
      // OpenAI's own chat completions have no reasoning in the stream: the provider leaves it out
      assert.equal(seen.reasoning, name === 'openai chat' ? '' : 'let me see');
    });

    test('streams parallel tool calls in pieces', async () => {
      model.script([...says('ok'), calls({ name: 'bash', input: { command: 'ls -la' }, pieces: 4 }, { name: 'read_file', input: { path: 'a.txt' } })]);
      const seen = await ask(provider);
      assert.deepEqual(
        seen.calls.map((call) => [call.name, call.input, call.invalid]),
        [
          ['bash', { command: 'ls -la' }, false],
          ['read_file', { path: 'a.txt' }, false],
        ],
      );
      assert.equal(seen.finish, 'tool-calls');
      assert.ok(seen.inputDeltas >= 6, `${seen.inputDeltas} pieces`);
    });

    test('makes calls of unknown tools and with broken input', async () => {
      model.script([calls({ name: 'no_such_tool', input: {} })], [calls({ name: 'bash', input: '{"command": ' })]);
      const unknown = await ask(provider);
      const broken = await ask(provider);
      assert.deepEqual([unknown.calls[0]?.name, unknown.calls[0]?.invalid], ['no_such_tool', true]);
      assert.deepEqual([broken.calls[0]?.name, broken.calls[0]?.invalid], ['bash', true]);
    });

    for (const status of [401, 429, 500]) {
      test(`answers with status ${status} and its message`, async () => {
        model.script({ status, message: `scripted refusal ${status}` });
        const seen = await ask(provider);
        assert.match(seen.errors.join() + seen.thrown, new RegExp(`scripted refusal ${status}`));
      });
    }

    test('fails in the middle of the stream', async () => {
      model.script([...says('partial'), { do: 'error', message: 'overloaded now' }]);
      const seen = await ask(provider);
      assert.equal(seen.text, 'partial');
      assert.match(`${seen.errors.join()} ${seen.thrown}`, /overloaded now/);
    });

    test('cuts the connection in the middle of the stream', async () => {
      const gate = createGate();
      model.script([...says('partial'), waitsFor(gate), { do: 'cut' }]);
      const answer = ask(provider);
      await gate.reached;
      gate.open();
      const seen = await answer;
      assert.ok(seen.thrown !== undefined || seen.errors.length > 0, 'the cut is noticed');
    });

    test('ends the stream without its last words', async () => {
      model.script([...says('partial'), { do: 'end' }]);
      const seen = await ask(provider);
      assert.equal(seen.text, 'partial');
      assert.notEqual(seen.finish, 'stop');
    });

    test('hangs until the client leaves, and tells the test that it left', async () => {
      const abort = new AbortController();
      model.script([...says('before'), { do: 'hang' }]);
      const asked = within('the request', nextAfter(model.requests.length));
      const answer = ask(provider, abort.signal);
      const request = await asked;
      abort.abort();
      assert.equal(await within('the client to leave', request.closed), 'abandoned');
      assert.equal((await answer).aborted, true);
    });

    test('holds the first byte back until the gate opens', async () => {
      const gate = createGate();
      const abort = new AbortController();
      model.script({ steps: says('never seen'), firstByte: gate });
      const answer = ask(provider, abort.signal);
      await within('the model to be at the gate', gate.reached);
      abort.abort();
      assert.equal((await answer).text, '');
    });

    test('writes the moment of sending into every token', async () => {
      model.script([stampedTokens(50, 1)]);
      const stamps = readTokenStamps((await ask(provider)).text);
      assert.deepEqual(
        stamps.map((stamp) => stamp.index),
        Array.from({ length: 50 }, (_, index) => index),
      );
      assert.ok(stamps.every((stamp, index) => index === 0 || stamp.sentAt >= (stamps[index - 1]?.sentAt ?? 0)));
    });
  });
}

async function nextAfter(count: number): Promise<Awaited<ReturnType<ScriptedModel['nextRequest']>>> {
  let request = await model.nextRequest();
  while (request.number <= count) request = await model.nextRequest();
  return request;
}

test('requests are recorded in order with their model, messages and tools', async () => {
  const before = model.requests.length;
  model.script(says('one'), says('two'));
  await ask(PROVIDERS['openai-compatible'] ?? '');
  await ask(PROVIDERS.anthropic ?? '');
  const [first, second] = model.requests.slice(before);
  assert.deepEqual([first?.api, first?.model, first?.tools], ['chat', 'scripted', ['bash', 'read_file']]);
  assert.deepEqual([second?.api, second?.model, second?.messages.length], ['messages', 'claude-scripted', 1]);
});

test('a request without an answer in the script is told so', async () => {
  const seen = await ask(PROVIDERS.anthropic ?? '');
  assert.match(seen.errors.join(), /has no answer in the script/);
});

test('`otherwise` answers what the script does not', async () => {
  model.otherwise((request) => says(`number ${request.number}`));
  const seen = await ask(PROVIDERS['openai-compatible'] ?? '');
  assert.equal(seen.text, `number ${model.requests.length}`);
});
