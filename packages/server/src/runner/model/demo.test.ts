import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Call, type CallState, type Message, toolDefinition, validate } from '@tendon/protocol';
import fc from 'fast-check';
import { HELP } from './demo-answer.ts';
import { demoCommand } from './demo-commands.ts';
import type { HistoryItem, StepPart } from './model-port.ts';
import { createModels } from './models.ts';

const AT = '2026-01-01T00:00:00.000Z';
const TOOLS = ['bash', 'read_file', 'write_file', 'edit_file', 'glob', 'grep', 'ask_user_questions', 'update_plan'].map((name) => ({
  name,
  description: name,
  inputSchema: {},
}));
const models = createModels({}, { demoPaceMs: 0 });

function says(text: string, role: Message['role'] = 'user', calls: Call[] = []): HistoryItem {
  const message: Message = { id: 'm', sessionId: 's', seq: 1, role, state: 'complete', parts: [{ type: 'text', text }], createdAt: AT };
  return { message, calls };
}

function call(state: CallState, more: Partial<Call> = {}): Call {
  return {
    id: 'c',
    sessionId: 's',
    messageId: 'm',
    tool: 'bash',
    kind: 'local',
    effect: 'execute',
    input: { command: 'ls' },
    inputHash: 'h',
    state,
    createdAt: AT,
    ...more,
  };
}

async function answer(history: readonly HistoryItem[], tools = TOOLS): Promise<{ parts: readonly StepPart[]; streamed: string[]; finishReason: string }> {
  const streamed: string[] = [];
  const outcome = await models.step(
    { model: 'demo/tendon', instructions: '', history, tools, signal: new AbortController().signal },
    { partStarted: (index) => assert.equal(streamed.push(''), index + 1), delta: (index, text) => (streamed[index] += text) },
  );
  assert.equal(outcome.kind, 'completed');
  return { parts: outcome.parts, streamed, finishReason: outcome.finishReason };
}

async function textAfter(made: Call): Promise<string> {
  const { parts } = await answer([says('go'), says('', 'assistant', [made])]);
  assert.equal(parts.length, 1);
  return parts[0]?.type === 'text' ? parts[0].text : '';
}

const COMMANDS: readonly [string, readonly { tool: string; input: unknown }[]][] = [
  ['run ls', [{ tool: 'bash', input: { command: 'ls' } }]],
  ['Run `ls -la`', [{ tool: 'bash', input: { command: 'ls -la' } }]],
  ['run echo salt and pepper', [{ tool: 'bash', input: { command: 'echo salt and pepper' } }]],
  ['$ pwd', [{ tool: 'bash', input: { command: 'pwd' } }]],
  ['read README.md', [{ tool: 'read_file', input: { path: 'README.md' } }]],
  ['read src/a.ts lines 3-9', [{ tool: 'read_file', input: { path: 'src/a.ts', startLine: 3, endLine: 9 } }]],
  ['write notes.txt: hello', [{ tool: 'write_file', input: { path: 'notes.txt', content: 'hello' } }]],
  ['write a/b.txt: one\ntwo: three', [{ tool: 'write_file', input: { path: 'a/b.txt', content: 'one\ntwo: three' } }]],
  ['replace a with b in file', [{ tool: 'edit_file', input: { path: 'file', oldText: 'a', newText: 'b' } }]],
  ['replace "in it" with "out of it" in my file.txt', [{ tool: 'edit_file', input: { path: 'my file.txt', oldText: 'in it', newText: 'out of it' } }]],
  ['find *.ts', [{ tool: 'glob', input: { pattern: '*.ts' } }]],
  ['search foo', [{ tool: 'grep', input: { pattern: 'foo' } }]],
  ['search for foo in src', [{ tool: 'grep', input: { pattern: 'foo', path: 'src' } }]],
  ['ask me: tea or coffee?', [{ tool: 'ask_user_questions', input: { questions: [{ question: 'tea or coffee?' }] } }]],
  [
    'run date and read README.md and find *.md',
    [
      { tool: 'bash', input: { command: 'date' } },
      { tool: 'read_file', input: { path: 'README.md' } },
      { tool: 'glob', input: { pattern: '*.md' } },
    ],
  ],
];

describe('demo model', () => {
  for (const [text, calls] of COMMANDS) {
    it(`M23: "${text.replace('\n', ' ')}" makes ${calls.map(({ tool }) => tool).join(' and ')}`, async () => {
      const { parts, streamed, finishReason } = await answer([says(text)]);
      assert.equal(parts[0]?.type, 'text');
      assert.equal(finishReason, 'tool-calls');
      const made = parts.slice(1).map((part) => (part.type === 'tool_call' ? { tool: part.tool, input: JSON.parse(part.inputText) } : part));
      assert.deepEqual(made, calls);
      assert.deepEqual(
        streamed,
        parts.map((part) => (part.type === 'tool_call' ? part.inputText : part.text)),
      );
    });
  }

  it('M23: ask me and plan make calls that pass their schemas', async () => {
    for (const text of ['ask me', 'plan']) {
      const part = (await answer([says(text)])).parts[1];
      assert.equal(part?.type, 'tool_call');
      const definition = toolDefinition(part.tool);
      assert.ok(definition && validate(definition.input, JSON.parse(part.inputText)).ok);
    }
  });

  it('M23: whatever is said, calls pass the schema of their tool and the same answer comes again', () => {
    const verbs = fc.constantFrom('run ', 'read ', 'write ', 'replace ', 'find ', 'search ', 'ask me ', 'plan ', 'think ', 'count to ', '');
    const tails = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom('a with  in b', 'x: ', '"" with "" in ""', 'x lines 0-0', '9999999 slowly', 'a and run b'),
    );
    fc.assert(
      fc.property(verbs, tails, (verb, tail) => {
        const command = demoCommand(verb + tail);
        assert.deepEqual(demoCommand(verb + tail), command);
        if (command.kind !== 'calls') return;
        for (const { tool, input } of command.calls) {
          const definition = toolDefinition(tool);
          assert.ok(definition);
          const checked = validate(definition.input, input);
          assert.ok(checked.ok, checked.ok ? '' : checked.error.message);
        }
      }),
      { numRuns: 1_000, verbose: 1 },
    );
  });

  it('M23: anything else is answered with what it can do', async () => {
    const { parts, finishReason } = await answer([says('hello there')]);
    assert.deepEqual(parts, [{ type: 'text', text: HELP }]);
    assert.equal(finishReason, 'stop');
  });

  it('M23: count and think speak without a tool', async () => {
    assert.deepEqual((await answer([says('count to 12')])).parts, [{ type: 'text', text: '1 2 3 4 5 6 7 8 9 10 11 12' }]);
    assert.deepEqual(
      (await answer([says('think about boats')])).parts.map((part) => part.type),
      ['reasoning', 'text'],
    );
  });

  it('M23: a tool that is not offered is said to be missing', async () => {
    const { parts } = await answer([says('run ls')], []);
    assert.match(JSON.stringify(parts), /no machine with that tool is connected/);
  });

  it('M23: the newest message counts, queued ones and broken tries do not', async () => {
    const broken: HistoryItem = { message: { ...says('half').message, role: 'assistant', state: 'interrupted' }, calls: [] };
    const queued: HistoryItem = { message: { ...says('run ls').message, state: 'queued' }, calls: [] };
    const { parts } = await answer([says('run ls'), says('', 'assistant', [call('succeeded')]), says('count to 3'), broken, queued]);
    assert.deepEqual(parts, [{ type: 'text', text: '1 2 3' }]);
  });

  const output = (text: string): Partial<Call> => ({ result: { status: 'succeeded', content: [{ type: 'text', text }], meta: { exitCode: 0 } } });
  const results: readonly [string, Call, RegExp][] = [
    ['a command', call('succeeded', output('a\nb')), /`ls` finished with exit code 0\. It printed:\n\n```text\na\nb\n```$/],
    ['a silent command', call('succeeded', output('')), /printed nothing/],
    ['a long output', call('succeeded', output('x\n'.repeat(25))), /… and 5 more lines\./],
    ['an output with fences', call('succeeded', output('```js\n1\n```')), /\n````text\n```js/],
    [
      'a command that failed',
      call('failed', { result: { status: 'failed', content: [], error: { code: 'exit_code', message: 'It ended with exit code 3.' }, meta: { exitCode: 3 } } }),
      /failed: It ended with exit code 3\.$/,
    ],
    ['a failure', call('failed', { result: { status: 'failed', content: [], error: { code: 'x', message: 'no such file' } } }), /failed: no such file/],
    [
      'a denial',
      call('denied', { decision: { by: 'u', decision: 'deny', scope: 'once', reason: 'too risky', at: AT } }),
      /You denied .*did not run\. Your reason: "too risky"/,
    ],
    ['a rule', call('denied', { decision: { by: 'policy', decision: 'deny', scope: 'once', at: AT } }), /A rule denied/],
    ['a cancelled call', call('cancelled'), /was cancelled/],
    ['an unknown outcome', call('unknown'), /do not know whether .* finished.*will not repeat/],
    [
      'an edit',
      call('succeeded', { tool: 'edit_file', input: { path: 'f' }, result: { status: 'succeeded', content: [], meta: { diff: '-a\n+b' } } }),
      /Done: `edit_file` `f`\.\n\n```diff\n-a\n\+b/,
    ],
    [
      'an answer',
      call('succeeded', { tool: 'ask_user_questions', input: {}, ...output('{"answers":[{"question":"Tea?","answer":"Yes"}]}') }),
      /- Tea\? \*\*Yes\*\*/,
    ],
  ];
  for (const [what, made, expected] of results) {
    it(`M23: it tells in plain words: ${what}`, async () => assert.match(await textAfter(made), expected));
  }

  it('M24: it stops at the abort, with what it has said so far', async () => {
    const abort = new AbortController();
    let heard = '';
    const outcome = await createModels({}).step(
      { model: 'demo', instructions: '', history: [says('count to 500 slowly')], tools: [], signal: abort.signal },
      {
        partStarted: () => undefined,
        delta: (_, text) => {
          heard += text;
          if (heard.endsWith('3 ')) abort.abort();
        },
      },
    );
    assert.deepEqual(outcome, { kind: 'aborted', parts: [{ type: 'text', text: '1 2 3 ' }] });
    assert.equal(heard, '1 2 3 ');
  });

  it('M24: slowly is about twenty words a second', async () => {
    const started = performance.now();
    const outcome = await createModels({}).step(
      { model: 'demo', instructions: '', history: [says('count to 5 slowly')], tools: [], signal: new AbortController().signal },
      { partStarted: () => undefined, delta: () => undefined },
    );
    assert.equal(outcome.kind, 'completed');
    assert.ok(performance.now() - started >= 240);
  });

  it('M24: long and hostile messages are read in no time', () => {
    const long = 250_000;
    const texts = [
      ' '.repeat(long),
      `run${' '.repeat(long)}`,
      `replace ${' with  in '.repeat(long / 10)}`,
      'read and '.repeat(long / 9),
      `search ${'a in '.repeat(long / 5)}\n`,
      `write a:${'b'.repeat(long)}`,
      `write${' '.repeat(long)}x`,
      `ask me${' :'.repeat(long / 2)}`,
      `count to ${'9'.repeat(long)}`,
    ];
    const before = process.cpuUsage();
    for (const text of texts) demoCommand(text);
    for (const text of texts) demoCommand(text.slice(0, 4_000));
    // What this process has worked, however busy the machine is.
    const { user } = process.cpuUsage(before);
    assert.ok(user < 1_000_000, `${user / 1_000} ms`);
  });
});
