import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';
import { keptFolder } from './kept-folder.ts';
import type { HistoryItem } from './model/model-port.ts';
import { NO_SERVER_TOOLS } from './server-tools.ts';
import { type Machine, requestedCall } from './tool-check.ts';

const MACHINE: Machine = {
  gatewayId: 'g',
  workspace: '/w',
  tools: ['bash', 'write_process'].map((name) => ({ name, description: '', inputSchema: { type: 'object' }, effect: 'execute', source: 'builtin' })),
};

function ended(folder: unknown, more: Partial<Call> = {}): Call {
  const result = { status: 'succeeded', content: [], meta: { folder } } as unknown as Call['result'];
  return { tool: 'bash', gatewayId: 'g', workspace: '/w', input: {}, result, ...more } as Call;
}

const history = (...items: Call[][]): HistoryItem[] => items.map((calls) => ({ message: {} as HistoryItem['message'], calls }));

test('G46: the last command in its order that says where it ended decides, on this machine and in this workspace', () => {
  const rows: [items: Call[][], folder: string | undefined][] = [
    [[], undefined],
    [[[ended('a')]], 'a'],
    [[[ended('a')], [ended('.')]], undefined],
    [[[ended('a'), ended('b')], []], 'b'],
    [[[ended('a'), ended(undefined)]], 'a'],
    [[[ended('a'), ended('b', { result: undefined })]], 'a'],
    [[[ended('a'), ended('b', { gatewayId: 'other' })]], 'a'],
    [[[ended('a'), ended('b', { workspace: '/v' })]], 'a'],
    [[[ended('a'), ended('b', { tool: 'read_file' })]], 'a'],
    [[[ended('it\'s "odd"\n\u{1F98A}')]], 'it\'s "odd"\n\u{1F98A}'],
  ];
  for (const [items, folder] of rows) assert.equal(keptFolder(history(...items), MACHINE), folder, JSON.stringify(items));
});

test('G46: what a machine says that is no folder is passed over', () => {
  const wrong = ['', 7, null, {}, ['a'], 'x'.repeat(4_097), 'half \ud800', true, Number.NaN, undefined];
  for (const folder of wrong) assert.equal(keptFolder(history([ended('a'), ended(folder)]), MACHINE), 'a', String(folder));
});

test('G46: the kept folder is a part of what is hashed and of what rules are about, unless the call names one', () => {
  const ask = (input: object, folder: string | undefined, subject = '') => {
    const rules = [{ id: 'rule', tool: 'bash', subject, workspace: '/w', gatewayId: 'g', sessionId: undefined }];
    return requestedCall(
      'id',
      { type: 'tool_call', tool: 'bash', inputText: JSON.stringify(input) },
      { sessionId: 's', machine: MACHINE, mcp: NO_SERVER_TOOLS, rules, folder },
    );
  };
  const kept = ask({ command: 'make' }, "it's", 'make');
  assert.deepEqual(kept.input, { command: 'make', cwd: "it's" });
  assert.equal(kept.inputHash, inputHash({ tool: 'bash', input: { command: 'make', cwd: "it's" }, workspace: '/w', gatewayId: 'g' }));
  assert.deepEqual(kept.verdict, { kind: 'ask' });
  assert.deepEqual(ask({ command: 'make' }, "it's", "cd 'it'\\''s' && make").verdict, { kind: 'allow', rule: 'rule' });
  assert.deepEqual(ask({ command: 'make', cwd: '.' }, 'sub').input, { command: 'make', cwd: '.' });
  assert.deepEqual(ask({ command: 'make' }, undefined, 'make').verdict, { kind: 'allow', rule: 'rule' });
});

test('G48: no rule allows what is typed into a terminal', () => {
  const input = { id: 'p1', text: 'y\n' };
  const rules = [{ id: 'rule', tool: 'write_process', subject: '["p1","y\\n"]', workspace: '/w', gatewayId: 'g', sessionId: undefined }];
  const part = { type: 'tool_call', tool: 'write_process', inputText: JSON.stringify(input) } as const;
  assert.deepEqual(requestedCall('id', part, { sessionId: 's', machine: MACHINE, mcp: NO_SERVER_TOOLS, rules }).verdict, { kind: 'ask' });
});
