import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { LOCAL_TOOLS, type LocalToolName, PAUSE_TOOLS, type PauseToolName, REMOTE_TOOLS, type RemoteToolName, toolDefinition } from '@tendon/protocol';
import { calls, DIALECTS, type ModelRequest, nodeRig, type ScriptedCall, says } from '@tendon/testing';
import { z } from 'zod';

/*
 * What models send wrongly to each tool that is built in, judged by what the model reads in its next request: everything that is wrong in one
 * answer, in plain words, which fields are right, and its own call as it has sent it.
 */

type ModelToolName = LocalToolName | RemoteToolName | PauseToolName;

/** The smallest input that fits. A new tool without a row does not compile. */
const GOOD: Readonly<Record<ModelToolName, Readonly<Record<string, unknown>>>> = {
  read_file: { path: 'a' },
  write_file: { path: 'a', content: 'b' },
  edit_file: { path: 'a', oldText: 'a', newText: 'b' },
  multi_edit: { path: 'a', edits: [{ oldText: 'a', newText: 'b' }] },
  apply_patch: { patch: '*** Begin Patch\n*** Delete File: a\n*** End Patch' },
  bash: { command: 'touch owned' },
  list_processes: {},
  read_process: { id: 'p1' },
  write_process: { id: 'p1', text: 'a' },
  stop_process: { id: 'p1' },
  list_folder: { path: '.' },
  glob: { pattern: '*' },
  grep: { pattern: 'a' },
  browser_navigate: { url: 'back' },
  browser_snapshot: { fromLine: 1 },
  browser_click: { ref: 'e1' },
  browser_fill: { ref: 'e1', text: 'a' },
  browser_type: { text: 'a' },
  browser_select: { ref: 'e1', values: ['a'] },
  browser_press: { key: 'Enter' },
  browser_hover: { ref: 'e1' },
  browser_scroll: { direction: 'down' },
  browser_wait: { ms: 1 },
  browser_screenshot: { ref: 'e1' },
  browser_tabs: { action: 'list' },
  browser_extract: { ref: 'e1' },
  browser_upload: { ref: 'e1', paths: ['a'] },
  browser_download: { ref: 'e1' },
  update_plan: { steps: [{ title: 'a', status: 'todo' }] },
  ask_user_questions: { questions: [{ question: 'a' }] },
};

interface Wrong {
  /** As text it is sent as it is, also when it is not JSON. */
  readonly sent: unknown;
  readonly says: readonly RegExp[];
  /** What the history has of it, where that is not what was sent. */
  readonly shown?: unknown;
}

const KINDS: Readonly<Record<string, string>> = { string: 'text', integer: 'whole number', boolean: 'true or false', array: 'list of ' };

interface Field {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minLength?: number;
  readonly minItems?: number;
  readonly minimum?: number;
}

/** What is wrong whatever the tool, and as many faults as there are fields of it. */
function wrongInputsOf(name: ModelToolName): Wrong[] {
  const good = GOOD[name];
  const { properties = {}, required = [] } = schemaOf(name);
  const json = JSON.stringify(good);
  const notJson = (text: string): unknown => ({ unreadable: text });
  const renamed = Object.fromEntries(Object.entries(good).map(([key, value]) => [`the_${key}`, value]));
  const missing = required.map((field) => new RegExp(`\\b${field} is missing`));
  const unknown = Object.keys(renamed).map((key) => new RegExp(`\\b${key}\\b.* (is|are) unknown`));
  return [
    ...(required.length > 0 ? [{ sent: {}, says: missing }] : []),
    ...(Object.keys(renamed).length > 0 ? [{ sent: renamed, says: [...missing, ...unknown] }] : []),
    { sent: { ...good, run_in_background: true, timeout: 5 }, says: [/: run_in_background, timeout are unknown\./] },
    { sent: { ...good, 'no\nname': 1 }, says: [/: "no\\nname" is unknown\./] },
    ...Object.entries(properties).flatMap(([key, field]) => wrongValuesOf(key, field).map(({ sent, says }) => ({ sent: { ...good, [key]: sent }, says }))),
    { sent: [good], says: [/it must be one JSON object, not a list/], shown: { value: [good] } },
    { sent: 'null', says: [/it must be one JSON object, not null/], shown: { value: null } },
    { sent: '7', says: [/it must be one JSON object, not the number 7/], shown: { value: 7 } },
    { sent: 'true', says: [/it must be one JSON object, not true/], shown: { value: true } },
    { sent: JSON.stringify(json), says: [/it must be one JSON object, not the text "\{/], shown: { value: json } },
    { sent: 'ls -la', says: [/it is not valid JSON \(/], shown: notJson('ls -la') },
    { sent: `<call>${json}</call>`, says: [/it is not valid JSON \(/], shown: notJson(`<call>${json}</call>`) },
    { sent: '{"', says: [/it is not valid JSON, because it ends too early/], shown: notJson('{"') },
    { sent: json.slice(0, -1), says: [/it is not valid JSON, because it ends too early/], shown: notJson(json.slice(0, -1)) },
    { sent: `{"__proto__":${json}}`, says: [/__proto__: this key is not accepted/], shown: notJson(`{"__proto__":${json}}`) },
    { sent: `${'['.repeat(40)}${']'.repeat(40)}`, says: [/it is nested deeper than 24/], shown: notJson(`${'['.repeat(40)}${']'.repeat(40)}`) },
  ];
}

function wrongValuesOf(key: string, field: Field): { readonly sent: unknown; readonly says: readonly RegExp[] }[] {
  const must = (words: string): RegExp[] => [new RegExp(`\\b${key} must ${words}`)];
  const kind = field.enum ? 'one of ' : `${['integer', 'array'].includes(field.type ?? '') ? 'a ' : ''}${KINDS[field.type ?? '']}`;
  const wrong = [
    { sent: null, says: must(`be ${kind}.*, not null|be ${kind}, not null`) },
    { sent: { a: 1 }, says: must(`be ${kind}.*, not an object`) },
    ...(field.type === 'integer' ? [{ sent: '5', says: must('be a whole number, not the text "5"') }] : []),
    ...(field.type === 'integer' ? [{ sent: 1.5, says: must('be a whole number, not the number 1.5') }] : []),
    ...(field.type === 'boolean' ? [{ sent: 'yes', says: must('be true or false, not the text "yes"') }] : []),
    ...(field.minimum === undefined ? [] : [{ sent: field.minimum - 1, says: must(`be ${field.minimum} or more, not the number `) }]),
    ...(field.type === 'string' ? [{ sent: 7, says: must(`be ${kind}.*, not the number 7`) }] : []),
    ...(field.minLength === undefined && field.minItems === undefined ? [] : [{ sent: field.minItems ? [] : '', says: must('not be empty') }]),
    ...(field.type === 'array'
      ? [
          { sent: 'a', says: must('be a list of .*, not the text "a"') },
          { sent: [7], says: [new RegExp(`\\b${key}\\[0\\] must be `)] },
        ]
      : []),
  ];
  return wrong;
}

function schemaOf(name: string): { properties?: Record<string, Field>; required?: string[] } {
  const definition = toolDefinition(name);
  assert.ok(definition);
  return z.toJSONSchema(definition.input, { io: 'input' }) as ReturnType<typeof schemaOf>;
}

interface ReadCall {
  /** The call as the model finds it in its history. */
  readonly input: unknown;
  /** What it reads about it. */
  readonly answer: string;
}

type Block = Readonly<Record<string, unknown>>;

/** The calls of the last answer and their results, out of a request of either API. */
function readCalls({ api, messages }: ModelRequest): ReadCall[] {
  if (api === 'chat') {
    const asked = (messages.findLast((message) => message['tool_calls'])?.['tool_calls'] ?? []) as { id: string; function: { arguments: string } }[];
    return asked.map(({ id, function: { arguments: words } }) => ({
      input: JSON.parse(words),
      answer: String(messages.find((message) => message['tool_call_id'] === id)?.['content']),
    }));
  }
  const blocks = messages.flatMap(({ content }) => (Array.isArray(content) ? (content as Block[]) : []));
  return blocks
    .filter(({ type }) => type === 'tool_use')
    .map(({ id, input }) => {
      const content = blocks.find((block) => block['tool_use_id'] === id)?.['content'];
      return { input, answer: Array.isArray(content) ? content.map(({ text }) => text).join('') : String(content) };
    });
}

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());

/** The request that the model gets after it has made these calls. */
async function requestAfter(model: string, sent: readonly ScriptedCall[]): Promise<ModelRequest> {
  const session = await rig.open({ model });
  rig.model.script([calls(...sent)], says('I see.'));
  await session.say('go');
  await session.untilStatus('idle');
  assert.equal(session.answer, 'I see.');
  assert.deepEqual([...new Set(session.calls.map((call) => `${call.state} ${call.startedAt}`))], ['failed undefined'], 'nothing was begun');
  const request = rig.model.requests.at(-1);
  assert.ok(request);
  return request;
}

const NAMES = [...Object.keys(LOCAL_TOOLS), ...Object.keys(REMOTE_TOOLS), ...Object.keys(PAUSE_TOOLS)] as ModelToolName[];

for (const dialect of DIALECTS) {
  describe(`wrong inputs of a model that speaks ${dialect.name}`, () => {
    for (const name of NAMES) {
      const wrong = wrongInputsOf(name);
      test(`R26: of ${wrong.length} wrong inputs of ${name} the model reads all that is wrong and what is right, once, and its calls stay as it sent them`, async () => {
        assert.ok(wrong.length >= 10);
        const request = await requestAfter(
          dialect.model,
          wrong.map(({ sent }) => ({ name, input: sent, pieces: 2 })),
        );
        const read = readCalls(request);
        assert.equal(read.length, wrong.length);
        for (const [index, { sent, says: wanted, shown }] of wrong.entries()) {
          const { input, answer } = read[index] ?? { input: undefined, answer: '' };
          const about = `${JSON.stringify(sent)} → ${answer}`;
          for (const words of wanted) assert.match(answer, words, about);
          assertMends(name, answer);
          assert.deepEqual(input, shown ?? sent, about);
        }
      });
    }
  });
}

/** Whatever was wrong, the next call can be made from the answer alone. */
function assertMends(name: ModelToolName, answer: string): void {
  assert.ok(answer.startsWith(`The tool failed (invalid_input): The input of ${name} is wrong: `), answer);
  assert.equal(answer.split('is wrong').length, 2, `twice: ${answer}`);
  assert.doesNotMatch(answer, /Invalid input|received|Unrecognized key|Too (small|big)|undefined/, answer);
  assert.ok(answer.length < 2_000, `${answer.length}`);
  const { properties = {}, required = [] } = schemaOf(name);
  const fields = Object.entries(properties);
  assert.match(answer, fields.length === 0 ? / It has no fields\. Send the call again with \{\}\.$/ : / Its fields: .*\. Send the call again with these\.$/);
  for (const [field, { type, enum: words }] of fields) {
    const kind = words ? 'one of ' : KINDS[type ?? ''];
    const isWhole = !words && type !== 'array';
    assert.ok(answer.includes(`${field} (${kind}${isWhole ? `${required.includes(field) ? ', required' : ''})` : ''}`), `${field}: ${answer}`);
  }
}

test('R26: the fields that another program takes are all named at once, beside those that are right', async () => {
  const sent = { file_path: 'a', old_string: 'b', new_string: 'c' };
  const [read] = readCalls(await requestAfter(DIALECTS[0].model, [{ name: 'edit_file', input: sent }]));
  assert.equal(
    read?.answer,
    'The tool failed (invalid_input): The input of edit_file is wrong: path is missing; oldText is missing; newText is missing; file_path, old_string, new_string are unknown. ' +
      'Its fields: path (text, required), oldText (text, required), newText (text, required), replaceAll (true or false). Send the call again with these.',
  );
  assert.deepEqual(read?.input, sent);
});

test('R26: however much is wrong, the answer is short', async () => {
  const edits = Array.from({ length: 200 }, () => ({ [`k${'x'.repeat(5_000)}`]: 1 }));
  const [read] = readCalls(await requestAfter(DIALECTS[0].model, [{ name: 'multi_edit', input: { path: 'y'.repeat(10_000), edits } }]));
  assert.match(read?.answer ?? '', /path may have at most 4096 characters, and has 10000; edits\[0\]\.oldText is missing.*and \d+ more faults\. Its fields: /);
  assert.ok((read?.answer.length ?? 0) < 2_000);
});

for (const dialect of DIALECTS)
  test(`P5: a model that speaks ${dialect.name} is told of every built-in tool that there are no other fields`, async () => {
    const request = await requestAfter(dialect.model, [{ name: 'bash', input: {} }]);
    const tools = request.body['tools'] as { name?: string; input_schema?: Block; function?: { name: string; parameters: Block } }[];
    const closed = tools.map((tool) => [tool.function?.name ?? tool.name, (tool.function?.parameters ?? tool.input_schema)?.['additionalProperties']]);
    assert.deepEqual(Object.fromEntries(closed), Object.fromEntries(NAMES.map((name) => [name, false])));
  });
