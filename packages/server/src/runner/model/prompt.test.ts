import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LanguageModelV4Prompt, LanguageModelV4ToolResultOutput } from '@ai-sdk/provider';
import { CALL_STATES, type Call, type CallState, type Message, type Part } from '@tendon/protocol';
import fc from 'fast-check';
import type { HistoryItem } from './model-port.ts';
import { buildPrompt, type PromptOptions } from './prompt.ts';
import { modelToolName, ownToolNames } from './tool-names.ts';

const AT = '2026-01-01T00:00:00.000Z';
const SESSION = '00000000-0000-7000-8000-000000000000';
let nextId = 0;

function id(): string {
  nextId += 1;
  return `00000000-0000-7000-8000-${String(nextId).padStart(12, '0')}`;
}

function message(role: Message['role'], parts: Part[], state: Message['state'] = 'complete'): Message {
  return { id: id(), sessionId: SESSION, seq: nextId, role, state, parts, createdAt: AT };
}

function says(role: Message['role'], text: string, state: Message['state'] = 'complete'): HistoryItem {
  return { message: message(role, [{ type: 'text', text }], state), calls: [] };
}

function call(state: CallState, more: Partial<Call> = {}): Call {
  return {
    id: id(),
    sessionId: SESSION,
    messageId: SESSION,
    tool: 'bash',
    kind: 'local',
    effect: 'execute',
    input: { command: 'ls' },
    inputHash: 'x',
    state,
    createdAt: AT,
    ...more,
  };
}

function asks(calls: Call[], text = ''): HistoryItem {
  const parts: Part[] = [{ type: 'text', text }, ...calls.map((made): Part => ({ type: 'tool_call', callId: made.id }))];
  return { message: message('assistant', parts), calls };
}

function prompt(history: readonly HistoryItem[], options: Partial<PromptOptions> = {}): LanguageModelV4Prompt {
  return buildPrompt({ instructions: 'Be brief.', history, omitted: 0, images: 'inline', cachesPrompt: false, ...options });
}

function outputOf(made: Call, options: Partial<PromptOptions> = {}): LanguageModelV4ToolResultOutput {
  const built = prompt([says('user', 'go'), asks([made])], options).at(-1);
  assert.equal(built?.role, 'tool');
  const [part] = built.content;
  assert.equal(part?.type, 'tool-result');
  return part.output;
}

function outputText(output: LanguageModelV4ToolResultOutput): string {
  assert.ok(output.type === 'text' || output.type === 'error-text');
  return output.value;
}

/** The rules of every provider together; throws at the first that is broken. */
function assertValid(built: LanguageModelV4Prompt): void {
  const answered = new Set<string>();
  const rest = built[0]?.role === 'system' ? built.slice(1) : built;
  assert.equal(rest[0]?.role, 'user', 'begins with the person');
  assert.notEqual(rest.at(-1)?.role, 'assistant', 'does not end with the assistant');
  for (const [index, entry] of rest.entries()) {
    assert.notEqual(entry.role, 'system', 'one system message, at the beginning');
    assert.ok(entry.content.length > 0, 'no empty message');
    assert.equal(JSON.stringify(entry).search(/(?<!\\)(\\\\)*\\ud[89a-f]/i), -1, 'no half surrogate pair');
    if (entry.role === 'tool') assert.equal(rest[index - 1]?.role, 'assistant', 'results follow their calls');
    if (entry.role === 'tool' || typeof entry.content === 'string') continue;
    const calls: string[] = [];
    for (const part of entry.content) {
      if (part.type === 'text') assert.notEqual(part.text.trim(), '', 'no empty text');
      if (part.type === 'text') assert.equal(calls.length, 0, 'text stands before the calls');
      assert.notEqual(part.type, 'reasoning');
      if (part.type !== 'tool-call') continue;
      calls.push(part.toolCallId);
      assert.match(part.toolName, /^[a-zA-Z0-9_-]{1,64}$/);
      assert.ok(typeof part.input === 'object' && part.input !== null && !Array.isArray(part.input), 'input is an object');
      assert.equal(answered.has(part.toolCallId), false, 'a call is asked once');
      answered.add(part.toolCallId);
    }
    const next = rest[index + 1];
    const results = next?.role === 'tool' ? next.content.map((part) => (part.type === 'tool-result' ? part.toolCallId : '')) : [];
    if (entry.role === 'assistant') assert.deepEqual(results, calls, 'each call is answered once, directly after');
  }
}

const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', ' \n', '\ud83d', 'tail \udc00', '\\ud83d'));
const anyCall = fc
  .record({
    state: fc.constantFrom(...CALL_STATES),
    tool: fc.oneof(fc.constantFrom('bash', 'server.tool/x', ''), fc.string({ maxLength: 100 })),
    input: fc.jsonValue(),
    text: anyText,
    hasResult: fc.boolean(),
  })
  .map(({ state, tool, input, text, hasResult }) =>
    call(state, {
      tool,
      input,
      ...(hasResult ? { result: { status: 'failed' as const, content: [{ type: 'text' as const, text }], error: { code: 'x', message: text } } } : {}),
    }),
  );
const anyItem: fc.Arbitrary<HistoryItem> = fc
  .record({
    role: fc.constantFrom('user', 'assistant'),
    state: fc.constantFrom('queued', 'complete', 'interrupted', 'failed'),
    texts: fc.array(anyText, { maxLength: 3 }),
    calls: fc.array(anyCall, { maxLength: 3 }),
    hidesOne: fc.boolean(),
    doubles: fc.boolean(),
    metadata: fc.constantFrom(undefined, 'text', { google: { thoughtSignature: 's' } }, { google: 3 }),
  })
  .map(({ role, state, texts, calls, hidesOne, doubles, metadata }) => {
    const made = role === 'assistant' ? calls : [];
    const named = hidesOne ? made.slice(1) : made;
    const parts: Part[] = [
      ...texts.map((text): Part => ({ type: 'text', text })),
      ...named.map((one): Part => ({ type: 'tool_call', callId: one.id })),
      { type: 'reasoning', text: 'hm' },
      { type: 'tool_call', callId: id() },
      ...(doubles ? named.map((one): Part => ({ type: 'tool_call', callId: one.id })) : []),
      ...(texts.length > 1 ? [{ type: 'text' as const, text: 'after' }] : []),
    ];
    return { message: message(role, parts, state), calls: made, callMetadata: Object.fromEntries(made.map((one) => [one.id, metadata])) };
  });

describe('prompt', () => {
  it('M17: any history makes a prompt in which every call is answered once and directly after it', () => {
    fc.assert(
      fc.property(fc.array(anyItem, { maxLength: 12 }), fc.boolean(), (history, repeats) => {
        assertValid(prompt(repeats ? [...history, ...history] : history));
      }),
      { numRuns: 400, verbose: 1 },
    );
  });

  it('M17: parallel calls are answered in one message, in their order', () => {
    const calls = [call('succeeded'), call('denied'), call('unknown')];
    const built = prompt([says('user', 'go'), asks(calls, 'On it.')]);
    const results = built.at(-1);
    assert.equal(results?.role, 'tool');
    assert.deepEqual(
      results.content.map((part) => part.type === 'tool-result' && part.toolCallId),
      calls.map((one) => one.id),
    );
  });

  const told: readonly [CallState, Partial<Call>, RegExp][] = [
    ['denied', { decision: { by: 'u1', decision: 'deny', scope: 'once', reason: 'not on a Friday', at: AT } }, /person denied.*did not run.*not on a Friday/s],
    ['denied', { decision: { by: 'policy', decision: 'deny', scope: 'once', at: AT } }, /rule denied.*did not run/i],
    ['cancelled', {}, /cancelled before it started/],
    ['cancelled', { startedAt: AT }, /cancelled while it ran/],
    ['unknown', {}, /not known whether this call finished.*Do not repeat it without asking/s],
    ['queued', {}, /No result yet/],
    ['running', {}, /No result yet/],
    ['awaiting_approval', {}, /No result yet/],
    ['awaiting_answer', {}, /No result yet/],
    ['failed', { result: { status: 'failed', content: [], error: { code: 'not_found', message: 'no such file' } } }, /failed \(not_found\): no such file/],
  ];
  for (const [state, more, expected] of told) {
    it(`M18: the model hears what became of a call that is ${state} (${expected.source.slice(0, 24)})`, () => {
      const output = outputOf(call(state, more));
      assert.equal(output.type, 'error-text');
      assert.match(outputText(output), expected);
    });
  }

  it('M18: the words of an error are told once, whether the result has them at its beginning, within it, or not at all', () => {
    const words = (content: string, message: string): string => {
      const result = { status: 'failed' as const, content: [{ type: 'text' as const, text: content }], error: { code: 'c', message } };
      return outputText(outputOf(call('failed', { result })));
    };
    assert.equal(words('No such file.', 'No such file.'), 'The tool failed (c): No such file.');
    assert.equal(words('No such file.\nNothing was changed.', 'No such file.'), 'The tool failed (c): No such file.\nNothing was changed.');
    assert.equal(words('out\n[It ended with 3.]', 'It ended with 3.'), 'The tool failed (c).\nout\n[It ended with 3.]');
    assert.equal(words('half an answer', 'It broke.'), 'The tool failed (c): It broke.\nhalf an answer');
    assert.equal(words('', 'It broke.'), 'The tool failed (c): It broke.');
  });

  it('M18: a success carries its output, and an exit code that is not zero', () => {
    const result = { status: 'succeeded' as const, content: [{ type: 'text' as const, text: 'two files' }], meta: { exitCode: 3 } };
    assert.deepEqual(outputOf(call('succeeded', { result })), { type: 'text', value: 'two files\n[exit code 3]' });
    assert.deepEqual(outputOf(call('succeeded')), { type: 'text', value: '(no output)' });
  });

  it('M19: a broken try before another answer is left out, one that the person answered stays with a note', () => {
    const texts = (built: LanguageModelV4Prompt): string => JSON.stringify(built);
    const retried = prompt([says('user', 'q'), says('assistant', 'half', 'interrupted'), says('assistant', 'whole'), says('user', 'r')]);
    assert.doesNotMatch(texts(retried), /half/);
    assert.match(texts(retried), /whole/);
    const answered = prompt([says('user', 'q'), says('assistant', 'half', 'interrupted'), says('user', 'stop that')]);
    assert.match(texts(answered), /half.*Interrupted here.*stop that/s);
    const atTheEnd = prompt([says('user', 'q'), says('assistant', 'half', 'failed')]);
    assert.doesNotMatch(texts(atTheEnd), /half/);
  });

  it('M19: queued messages, reasoning and empty messages are left out', () => {
    const thought: HistoryItem = { message: message('assistant', [{ type: 'reasoning', text: 'secret thought' }]), calls: [] };
    const built = prompt([says('user', 'q'), thought, says('assistant', '  '), says('user', 'later', 'queued')]);
    assert.deepEqual(
      built.map((entry) => entry.role),
      ['system', 'user'],
    );
    assert.doesNotMatch(JSON.stringify(built), /secret|later/);
  });

  it('M19: what ran stays, even in a broken message that was tried again', () => {
    const made = call('succeeded');
    const broken: HistoryItem = { message: message('assistant', [{ type: 'tool_call', callId: made.id }], 'interrupted'), calls: [made] };
    assertValid(prompt([says('user', 'q'), broken, says('assistant', 'done'), says('user', 'r')]));
    assert.match(JSON.stringify(prompt([says('user', 'q'), broken])), new RegExp(made.id));
  });

  it('M20: an empty history, or one that begins or ends with the assistant, is still a conversation', () => {
    assertValid(prompt([]));
    assertValid(prompt([says('assistant', 'hello'), says('assistant', 'again')]));
    assert.equal(prompt([], { instructions: '' })[0]?.role, 'user');
  });

  it('M20: input that is no object is wrapped, half pairs are replaced, signatures go back to their provider', () => {
    const made = call('succeeded', { input: '\ud83d' });
    const item = { ...asks([made]), callMetadata: { [made.id]: { google: { thoughtSignature: 'sig' } } } };
    const part = prompt([says('user', 'x'), item])[2]?.content[0];
    assert.deepEqual(part, {
      type: 'tool-call',
      toolCallId: made.id,
      toolName: 'bash',
      input: { value: '\ufffd' },
      providerOptions: { google: { thoughtSignature: 'sig' } },
    });
  });

  it('M20: the instructions and the last message are marked for caching, and a cut history is told', () => {
    const built = prompt([says('user', 'a')], { cachesPrompt: true, omitted: 4 });
    assert.ok(built[0]?.providerOptions?.anthropic && built[1]?.providerOptions?.anthropic);
    assert.match(JSON.stringify(built[0]), /oldest messages.*left out/);
  });

  it('C18: an undo is told as what the person did, and one that they did not go through with is not told', () => {
    const undo = (state: CallState, more: Partial<Call> = {}): HistoryItem => {
      const made = call(state, { tool: 'undo_changes', effect: 'write', ...more });
      return { message: message('assistant', [{ type: 'tool_call', callId: made.id }]), calls: [made] };
    };
    const result = { status: 'succeeded' as const, content: [{ type: 'text' as const, text: 'Put back as before: "a".' }] };
    const built = prompt([says('user', 'q'), says('assistant', 'done'), undo('succeeded', { startedAt: AT, result }), says('user', 'next')]);
    assertValid(built);
    assert.deepEqual(
      built.map((entry) => entry.role),
      ['system', 'user', 'assistant', 'user', 'user'],
    );
    assert.match(JSON.stringify(built[3]), /The person has undone file changes.*read them again.*Put back as before/);
    assert.match(JSON.stringify(prompt([says('user', 'q'), undo('unknown', { startedAt: AT })])), /not known how far it came/);
    for (const state of ['denied', 'cancelled'] as const) {
      const quiet = prompt([says('user', 'q'), says('assistant', 'half', 'interrupted'), undo(state), says('user', 'next')]);
      assertValid(quiet);
      assert.doesNotMatch(JSON.stringify(quiet), /undo/);
      assert.match(JSON.stringify(quiet), /half/);
    }
  });

  it('M21: an image in a result is inline where that works, else described; a broken one always described', () => {
    const image = { type: 'image' as const, data: 'aGVsbG8h', mimeType: 'image/png' };
    const made = call('succeeded', { result: { status: 'succeeded', content: [{ type: 'text', text: 'shot' }, image] } });
    const inline = outputOf(made);
    assert.deepEqual(inline, {
      type: 'content',
      value: [
        { type: 'text', text: 'shot' },
        { type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'aGVsbG8h' } },
      ],
    });
    const described = outputText(outputOf(made, { images: 'described' }));
    assert.match(described, /shot\n\[image, image\/png/);
    assert.doesNotMatch(described, /aGVsbG8h/);
    const broken = call('succeeded', { result: { status: 'succeeded', content: [{ ...image, data: 'no base64!' }] } });
    assert.equal(outputOf(broken).type, 'text');
  });

  it('M21: an attachment goes with its content when there is one, else by its name', () => {
    const attachmentId = id();
    const item = { message: message('user', [{ type: 'attachment', name: 'a.png', mediaType: 'image/png', attachmentId }]), calls: [] };
    assert.match(JSON.stringify(prompt([item])), /attached.*a\.png.*not shown/);
    const withContent = prompt([{ ...item, attachments: { [attachmentId]: { mediaType: 'image/png', base64: 'aGVsbG8h' } } }]);
    assert.equal(withContent[1]?.role === 'user' && withContent[1].content[0]?.type, 'file');
  });

  it('M4: tool names that a provider would refuse are changed and found again', () => {
    const names = ['bash', 'mcp/server.tool', 'mcp_server.tool', 'x'.repeat(200), ''];
    const back = ownToolNames(names.map((name) => ({ name })));
    assert.equal(new Set(names.map(modelToolName)).size, names.length);
    for (const name of names) assert.match(modelToolName(name), /^[a-zA-Z0-9_-]{1,64}$/);
    assert.deepEqual(
      names.map((name) => back(modelToolName(name))),
      names,
    );
    assert.equal(back('made_up'), 'made_up');
  });
});
