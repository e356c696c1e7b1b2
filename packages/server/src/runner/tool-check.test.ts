import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failedResult, type PauseToolName, type RemoteToolName, toolResultSchema } from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';
import { runRemoteTool } from './remote-tools.ts';
import { NO_SERVER_TOOLS } from './server-tools.ts';
import { type Machine, offeredTools, requestedCall } from './tool-check.ts';

const ODD = { name: 'odd', description: 'odd', inputSchema: { type: 'object' }, effect: 'read', source: 'mcp' } as const;
const MACHINE: Machine = {
  gatewayId: 'g',
  workspace: '/w',
  tools: [
    { name: 'bash', description: 'shell', inputSchema: { type: 'object' }, effect: 'execute', source: 'builtin' },
    { name: 'read_file', description: 'read', inputSchema: { type: 'object' }, effect: 'read', source: 'builtin' },
    ODD,
  ],
};
const CONTEXT: Parameters<typeof requestedCall>[2] = { sessionId: 's', machine: MACHINE, mcp: NO_SERVER_TOOLS, rules: [] };

function ask(tool: string, inputText: string, context = CONTEXT) {
  return requestedCall('id', { type: 'tool_call', tool, inputText }, context);
}

test('R6: a call that fits is hashed over what will run and where', () => {
  const call = ask('bash', '{"command":"ls"}');
  assert.deepEqual(call.verdict, { kind: 'ask' });
  assert.deepEqual(call.input, { command: 'ls' });
  assert.equal(call.inputHash, inputHash({ tool: 'bash', input: { command: 'ls' }, workspace: '/w', gatewayId: 'g' }));
  assert.equal(ask('read_file', '{"path":"a"}').verdict.kind, 'allow');
});

test('R6: what does not fit is invalid and says what would', () => {
  const rows: [tool: string, input: string, code: string, says: RegExp][] = [
    ['nothing', '{}', 'unknown_tool', /Tools: .*bash/],
    ['write_file', '{"path":"a","content":""}', 'unknown_tool', /no tool named/],
    ['bash', '{"command":', 'invalid_input', /not valid JSON/],
    ['bash', '[]', 'invalid_input', /one JSON object, not a list/],
    ['odd', '[]', 'invalid_input', /one JSON object, not a list.*fits the tool's schema/],
    ['bash', '{"command":"ls","unknown":1}', 'invalid_input', /: unknown is unknown\./],
    ['bash', '{"command":""}', 'invalid_input', /command/],
    ['bash', '{"command":"x","timeoutMs":"soon"}', 'invalid_input', /timeoutMs/],
    ['bash', `{"command":"${'x'.repeat(2 ** 20)}"}`, 'invalid_input', /1048576 bytes/],
    ['bash', '{"__proto__":{"command":"x"}}', 'invalid_input', /__proto__/],
    ['ask_user_questions', '{"questions":[]}', 'invalid_input', /questions/],
    ['bash', '{"command":"echo \\ud800"}', 'invalid_input', /surrogate/],
    ['bash', '{"command":"\ud800', 'invalid_input', /not valid JSON/],
  ];
  for (const [tool, input, code, says] of rows) {
    const { verdict } = ask(tool, input);
    assert.ok(verdict.kind === 'invalid', `${tool} ${input.slice(0, 40)}`);
    assert.equal(verdict.error.code, code);
    assert.match(verdict.error.message, says);
  }
});

test('R6, P11: however many tools there are, a call of one that is none makes a result that clients take, and the model reads all their names', () => {
  const tools = Array.from({ length: 400 }, (_, index) => ({ ...ODD, name: `mcp__a_long_name_of_a_server__a_long_name_of_a_tool_${index}` }));
  const { verdict } = ask('nothing', '{}', { ...CONTEXT, machine: { ...MACHINE, tools } });
  assert.ok(verdict.kind === 'invalid');
  const checked = toolResultSchema.safeParse(failedResult(verdict.error.code, verdict.error.message));
  assert.ok(checked.success, checked.error?.message);
  const [said] = checked.data.content;
  for (const { name } of tools) assert.ok(said?.type === 'text' && said.text.includes(name));
});

test('R26: what is refused stays in the history as it was sent, as far as packets and tables can hold it', () => {
  const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
  for (const sent of ['{"cmd":"ls","n":[1,null]}', '["ls"]', '"ls"', '7', 'null', deep(20)]) assert.deepEqual(ask('bash', sent).input, JSON.parse(sent), sent);
  const notKept = [
    '{"command":',
    'ls',
    deep(25),
    deep(40),
    '{"__proto__":1}',
    '{"cmd":"\\ud800"}',
    `{"cmd":"${'x'.repeat(2 ** 20)}"}`,
    `[${'1,'.repeat(100_000)}1]`,
  ];
  for (const sent of notKept) assert.deepEqual(ask('bash', sent).input, { unreadable: sent.slice(0, 2_000) }, sent.slice(0, 40));
  // Nothing is put into what the model sent.
  assert.deepEqual(ask('bash', '{"cmd":"ls"}', { ...CONTEXT, folder: 'src' }).input, { cmd: 'ls' });
});

test('R6, R26: one level more than packets can carry is refused in words, of a tool whose schema would take it and of one that is none', () => {
  const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
  const taken = ask('odd', deep(24));
  assert.deepEqual([taken.verdict, taken.input], [{ kind: 'ask' }, JSON.parse(deep(24))]);
  for (const levels of [25, 32, 33]) {
    const { verdict, input } = ask('odd', deep(levels));
    assert.ok(verdict.kind === 'invalid');
    assert.equal(verdict.error.code, 'invalid_input');
    assert.equal(
      verdict.error.message,
      "The input of odd is wrong: it is nested deeper than 24. Send the call again with one JSON object that fits the tool's schema.",
    );
    assert.deepEqual(input, { unreadable: deep(levels) });
    const none = ask('nothing', deep(levels));
    assert.deepEqual([none.verdict.kind, none.input], ['invalid', { unreadable: deep(levels) }]);
  }
});

const STEP = { title: 'look', status: 'todo' };
const QUESTION = { question: 'q', options: [{ label: 'a' }] };
/** What models send wrongly to the tools that run in no machine. */
const WRONG: Readonly<Record<RemoteToolName | PauseToolName, readonly unknown[]>> = {
  update_plan: [
    ...[undefined, null, [], 'steps', 7, {}, { plan: [STEP] }, { steps: [] }, { steps: 'none' }, { steps: STEP }, { steps: [{}] }, { steps: ['look'] }],
    ...[{ steps: [{ title: '', status: 'todo' }] }, { steps: [{ title: 'look', status: 'started' }] }, { steps: [{ title: 'x'.repeat(501), status: 'todo' }] }],
    { steps: Array.from({ length: 51 }, () => STEP) },
  ],
  ask_user_questions: [
    ...[undefined, null, [], 'why?', 7, {}, { question: 'q' }, { questions: [] }, { questions: 'q' }, { questions: ['q'] }, { questions: [{}] }],
    ...[{ questions: [{ question: '' }] }, { questions: [{ question: 'q', options: 'a, b' }] }, { questions: [{ question: 'q', options: ['a'] }] }],
    ...[{ questions: [{ question: 'q', options: [{ label: '' }] }] }, { questions: [{ question: 'x'.repeat(2_001) }] }],
    ...[
      { questions: Array.from({ length: 11 }, () => QUESTION) },
      { questions: [{ question: 'q', options: Array.from({ length: 10 }, () => ({ label: 'a' })) }] },
    ],
  ],
};

for (const [tool, inputs] of Object.entries(WRONG)) {
  test(`R6, R7: ${inputs.length} wrong inputs of ${tool} are refused before anything is begun, and each refusal says what is wrong`, async () => {
    assert.ok(inputs.length >= 10);
    for (const input of inputs) {
      const { verdict } = ask(tool, JSON.stringify(input) ?? '');
      assert.ok(verdict.kind === 'invalid', JSON.stringify(input));
      assert.equal(verdict.error.code, 'invalid_input');
      assert.match(verdict.error.message, /is wrong: .*(steps|questions|object|JSON).* Its fields: (steps|questions) /, JSON.stringify(input));
      // A tool of the server looks for itself as well.
      if (tool === 'update_plan') assert.equal((await runRemoteTool({ tool, input })).error?.code, 'invalid_input', JSON.stringify(input));
    }
  });
}

test('R6: without a machine there are no local tools, and the model is told why', () => {
  const context = { ...CONTEXT, machine: undefined };
  assert.deepEqual(
    offeredTools(context).map((tool) => tool.name),
    ['update_plan', 'ask_user_questions'],
  );
  const { verdict } = ask('bash', '{"command":"ls"}', context);
  assert.ok(verdict.kind === 'invalid');
  assert.match(verdict.error.message, /No machine is connected/);
});

test('E6: no stored rule allows a call of a tool whose description has changed', () => {
  const [, , odd] = MACHINE.tools;
  assert.ok(odd);
  const rules = [{ id: 'rule', tool: 'odd', subject: '{"a":1}', workspace: '/w', gatewayId: 'g' }];
  const withOdd = (isChanged: boolean) => ({ ...CONTEXT, rules, machine: { ...MACHINE, tools: [{ ...odd, isChanged }] } });
  assert.equal(ask('odd', '{"a":1}', withOdd(false)).verdict.kind, 'allow');
  assert.equal(ask('odd', '{"a":1}', withOdd(true)).verdict.kind, 'ask');
});

test('R6: a tool that only its machine knows never counts as reading', () => {
  const call = ask('odd', '{"a":1}');
  assert.equal(call.effect, 'execute');
  assert.equal(call.verdict.kind, 'ask');
});

const SEARCH = { name: 'server_mcp__docs__search', description: 'Searches.', inputSchema: { type: 'object' }, effect: 'execute' as const, source: 'docs' };
const WITH_MCP = { ...CONTEXT, mcp: { announced: [SEARCH], definitionOf: () => 'words' } };

test('E23: tools of MCP servers on the server are offered with and without a machine, and no tool of a machine passes for one', () => {
  const fake = { ...SEARCH, description: 'Something else.', source: 'builtin' };
  const machine = { ...MACHINE, tools: [...MACHINE.tools, fake, { ...fake, name: 'server_mcp__docs__other' }] };
  const names = (context: Parameters<typeof offeredTools>[0]) => offeredTools(context).map(({ name, description }) => `${name}: ${description}`);
  assert.ok(names({ ...WITH_MCP, machine: undefined }).includes('server_mcp__docs__search: Searches.'));
  const offered = names({ ...WITH_MCP, machine });
  assert.deepEqual(
    offered.filter((line) => line.startsWith('server_mcp')),
    ['server_mcp__docs__search: Searches.'],
  );
  const { verdict } = ask('server_mcp__docs__other', '{}', { ...WITH_MCP, machine });
  assert.ok(verdict.kind === 'invalid' && verdict.error.code === 'unknown_tool');
  assert.ok(ask(SEARCH.name, '{}', { ...WITH_MCP, machine }).gatewayId === undefined);
});

test('E24: a call of one is of the server, always asks, and is hashed with what the tool says of itself', () => {
  const call = ask(SEARCH.name, '{"q":"x"}', WITH_MCP);
  assert.deepEqual([call.kind, call.effect, call.definition, call.verdict.kind], ['remote', 'execute', 'words', 'ask']);
  assert.equal(call.inputHash, inputHash({ tool: SEARCH.name, input: { q: 'x' }, definition: 'words' }));
  const rules = [{ id: 'rule', tool: SEARCH.name, subject: '{"q":"x"}', definition: 'words' }];
  assert.equal(ask(SEARCH.name, '{"q":"x"}', { ...WITH_MCP, rules }).verdict.kind, 'allow');
  assert.equal(ask(SEARCH.name, '{"q":"y"}', { ...WITH_MCP, rules }).verdict.kind, 'ask');
});
