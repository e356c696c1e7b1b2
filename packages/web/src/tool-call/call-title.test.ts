import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '@tendon/protocol';
import { inputView, shownText } from './call-input.ts';
import { callDurationMs, callStateText, durationText, machinesAwaited, resultParts } from './call-state.ts';
import { callTitle, titleText } from './call-title.ts';

function call(tool: string, input: unknown, more: Partial<Call> = {}): Call {
  const base = { id: 'c', sessionId: 's', messageId: 'm', kind: 'local', effect: 'execute', inputHash: 'h', state: 'running' } as const;
  return { ...base, tool, input, createdAt: '2026-11-22T10:00:00Z', ...more };
}

const shown = (tool: string, input: unknown, more?: Partial<Call>) => titleText(callTitle(call(tool, input, more)));

test('U15: a call is titled in words', () => {
  assert.equal(shown('read_file', { path: 'README.md' }), 'Read README.md');
  assert.equal(shown('read_file', { path: 'README.md', startLine: 3, endLine: 9 }), 'Read README.md, lines 3 to 9');
  assert.equal(shown('read_file', { path: 'README.md', startLine: 3 }), 'Read README.md, from line 3');
  assert.equal(shown('write_file', { path: 'a.txt', content: 'one\ntwo\n' }), 'Write a.txt, 2 lines');
  assert.equal(shown('edit_file', { path: 'src/app.ts', oldText: 'a\nb', newText: 'a\nc\nd' }), 'Edit src/app.ts, +2 −1');
  const edits = [
    { oldText: 'a', newText: 'b' },
    { oldText: 'c', newText: 'd\ne' },
  ];
  assert.equal(shown('multi_edit', { path: 'src/app.ts', edits }), 'Edit src/app.ts, +3 −2');
  assert.equal(shown('undo_changes', { calls: [], files: ['a', 'b'], others: [] }), 'Put files back, 2 files');
  const one = '*** Begin Patch\n*** Update File: a.ts\n@@\n-x\n+y\n+z\n*** End Patch';
  assert.equal(shown('apply_patch', { patch: one }), 'Edit a.ts, +2 −1');
  assert.equal(shown('apply_patch', { patch: one.replace('*** End', '*** Delete File: b.ts\n*** End') }), 'Edit 2 files, +2 −1');
  assert.equal(shown('bash', { command: 'npm start', background: true }), 'Run npm start, in the background, without a time limit');
  assert.equal(shown('list_processes', {}), 'List processes');
  assert.equal(shown('read_process', { id: 'p1' }), 'Read the output of p1');
  assert.equal(shown('stop_process', { id: 'p1' }), 'Stop p1');
  assert.equal(shown('list_folder', { path: 'src' }), 'List src');
  assert.equal(shown('list_folder', {}), 'List the workspace');
  assert.equal(shown('bash', { command: 'ls -la' }), 'Run ls -la');
  assert.equal(shown('bash', { command: 'cd x\nmake' }), 'Run cd x …');
  assert.equal(shown('glob', { pattern: '**/*.ts' }), 'Find **/*.ts');
  assert.equal(shown('grep', { pattern: 'foo', path: 'src' }), 'Search for foo, in src');
  assert.equal(
    shown('update_plan', {
      steps: [
        { title: 'a', status: 'done' },
        { title: 'b', status: 'todo' },
      ],
    }),
    'Plan, 1 of 2 done',
  );
  assert.equal(shown('mcp_do', {}), 'Use mcp_do');
  assert.equal(shown('mcp__files__read__all', {}), 'Use read__all, of files');
});

test('U15: what the browser does is titled in words', () => {
  const table: [string, unknown, string][] = [
    ['browser_navigate', { url: 'https://example.org/a' }, 'Open https://example.org/a'],
    ['browser_navigate', { url: 'back' }, 'Go back, in the browser'],
    ['browser_click', { ref: 'e1', element: 'button "Save"' }, 'Click button "Save"'],
    ['browser_click', { ref: 'e1' }, 'Click e1'],
    ['browser_press', { key: 'Enter' }, 'Press Enter'],
    ['browser_scroll', {}, 'Scroll, down'],
    ['browser_wait', { ms: 500 }, 'Wait, 500 ms'],
    ['browser_tabs', { action: 'close', index: 2 }, 'Close tab 2'],
    ['browser_upload', { ref: 'e1', paths: ['a b.txt', 'c'] }, 'Upload a b.txt, c'],
    ['browser_screenshot', {}, 'Take a picture of the page'],
  ];
  for (const [tool, input, title] of table) assert.equal(shown(tool, input), title);
  for (const tool of ['browser_navigate', 'browser_click', 'browser_upload', 'browser_tabs', 'browser_press']) assert.equal(shown(tool, null), `Use ${tool}`);
});

test('U15, G46, G47, G48: a command says where and how it runs, and typing what is typed', () => {
  assert.equal(shown('bash', { command: 'make', cwd: 'packages/web' }), 'Run make, in packages/web');
  assert.equal(shown('bash', { command: 'make', cwd: '.' }), 'Run make');
  assert.equal(
    shown('bash', { command: 'make', cwd: 'a\u202eb', terminal: true, background: true }),
    'Run make, in a⟨U+202E⟩b, in a terminal, in the background, without a time limit',
  );
  assert.equal(shown('bash', { command: 'make', cwd: 7, terminal: 'yes' }), 'Run make');
  assert.equal(shown('write_process', { id: 'p1', text: 'y\n', keys: ['ctrl_c', 'enter'] }), 'Type into p1, y ctrl_c enter');
  assert.equal(shown('write_process', { id: 'p1', text: 'one\ntwo' }), 'Type into p1, one …');
  assert.equal(shown('write_process', { id: 'p1', keys: 'odd' }), 'Type into p1');
});

test('U15: an edit that ran is counted by its machine', () => {
  const result = { status: 'succeeded', content: [], meta: { added: 12, removed: 3 } } as const;
  assert.equal(shown('edit_file', { path: 'src/app.ts', oldText: 'a', newText: 'b' }, { result: { ...result, content: [] } }), 'Edit src/app.ts, +12 −3');
});

test('U15: an input of a wrong shape gets a title all the same', () => {
  for (const tool of ['read_file', 'write_file', 'edit_file', 'multi_edit', 'apply_patch', 'bash', 'glob', 'grep']) {
    for (const input of [null, 'x', 7, [], {}, { path: 1, command: {} }]) assert.equal(shown(tool, input), `Use ${tool}`);
  }
  assert.equal(shown('update_plan', null), 'Plan, 0 of 0 done');
  assert.equal(shown('constructor', {}), 'Use constructor');
});

test('U10: a title shows hidden characters', () => {
  assert.equal(shown('bash', { command: 'echo \u202eevil' }), 'Run echo ⟨U+202E⟩evil');
});

test('U8: the view of an input leaves no field out', () => {
  assert.deepEqual(inputView('bash', { command: 'ls', cwd: 'src', extra: { deep: 1 } }), {
    kind: 'command',
    text: 'ls',
    rest: [
      { name: 'cwd', value: 'src' },
      { name: 'extra', value: '{\n  "deep": 1\n}' },
    ],
  });
  const odd = { oldText: 'x', newText: 'y', replaceAll: true };
  const several = inputView('multi_edit', { path: 'a', edits: [odd], why: 'z' });
  assert.deepEqual(several, {
    kind: 'edits',
    path: 'a',
    edits: [{ oldText: 'x', newText: 'y', rest: [{ name: 'replaceAll', value: 'true' }] }],
    rest: [{ name: 'why', value: 'z' }],
  });
  assert.match(shownText(several), /replaceAll\ntrue/);
  for (const edits of [[], [odd, { oldText: 'x' }], 'x', [null], undefined]) assert.equal(inputView('multi_edit', { path: 'a', edits }).kind, 'fields');
  const edit = inputView('edit_file', { path: 'a', oldText: 'x', newText: 'y', replaceAll: true });
  assert.equal(edit.kind, 'edit');
  assert.deepEqual(edit.rest, [{ name: 'replaceAll', value: 'true' }]);
  assert.deepEqual(inputView('bash', { cmd: 'ls' }), { kind: 'fields', rest: [{ name: 'cmd', value: 'ls' }] });
  assert.deepEqual(inputView('bash', 'ls'), { kind: 'fields', rest: [{ name: 'input', value: 'ls' }] });
});

test('U15: state and time are told in words', () => {
  const gateway = { id: 'g', name: 'laptop', platform: 'linux', online: false, workspaces: [], tools: [], lastSeenAt: '2026-11-22T10:00:00Z' };
  assert.equal(callStateText(call('bash', {}, { state: 'queued' }), gateway).word, 'Waiting for laptop');
  assert.equal(callStateText(call('bash', {}, { state: 'queued' }), { ...gateway, online: true }).word, 'Starting');
  const failed = call('bash', {}, { state: 'failed', result: { status: 'failed', content: [], meta: { exitCode: 2 } } });
  assert.equal(callStateText(failed, undefined).word, 'Exit code 2');
  assert.equal(callDurationMs(call('bash', {}, { startedAt: '2026-11-22T10:00:00.000Z', finishedAt: '2026-11-22T10:00:01.500Z' })), 1_500);
  assert.deepEqual([0, 49, 50, 140, 1_500, 9_990, 59_400, 185_000, 7_440_000].map(durationText), [
    '<0.1 s',
    '<0.1 s',
    '0.1 s',
    '0.1 s',
    '1.5 s',
    '10 s',
    '59 s',
    '3 min 5 s',
    '2 h 4 min',
  ]);
});

test('U18: only raster images from the answer itself are drawn', () => {
  const content = [
    { type: 'image' as const, data: 'AAAA', mimeType: 'image/png' },
    { type: 'image' as const, data: 'PHN2Zz4=', mimeType: 'image/svg+xml' },
    { type: 'image' as const, data: '"><script>', mimeType: 'image/png' },
    { type: 'text' as const, text: 'seen' },
    { type: 'resource' as const, resource: { uri: 'file:///x', blob: 'AA' } },
  ];
  const parts = resultParts(call('shot', {}, { result: { status: 'succeeded', content } }));
  assert.deepEqual(
    parts.images.map((image) => image.source),
    ['data:image/png;base64,AAAA'],
  );
  assert.equal(parts.text, 'seen');
  assert.deepEqual(parts.others, ['image/svg+xml', 'image/png', 'file:///x']);
});

test('C16: what is waited for are the machines of the calls, wherever the session has moved since', () => {
  const laptop = { id: 'laptop', name: 'laptop', platform: 'linux', online: false, workspaces: [], tools: [], lastSeenAt: '2026-11-22T10:00:00Z' };
  const studio = { ...laptop, id: 'studio', name: 'studio' };
  const on = (gatewayId: string, state: Call['state'], kind: Call['kind'] = 'local') => call('bash', {}, { gatewayId, state, kind });
  const awaited = (...calls: Call[]) => machinesAwaited(calls, [laptop, studio, { ...laptop, id: 'here', name: 'here', online: true }]).map(({ id }) => id);
  assert.deepEqual(awaited(on('laptop', 'queued'), on('studio', 'running'), on('laptop', 'running')), ['laptop', 'studio']);
  assert.deepEqual(awaited(on('here', 'queued'), on('here', 'running')), []);
  assert.deepEqual(awaited(on('laptop', 'awaiting_approval'), on('laptop', 'succeeded'), on('laptop', 'unknown'), on('laptop', 'running', 'remote')), []);
  assert.equal(callStateText(on('laptop', 'running'), laptop).word, 'No word from laptop');
  assert.equal(callStateText(on('laptop', 'running'), { ...laptop, online: true }).word, 'Running');
  assert.equal(callStateText(on('laptop', 'succeeded'), laptop).word, 'Done');
});
