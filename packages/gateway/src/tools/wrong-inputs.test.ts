import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LOCAL_TOOLS, type LocalToolName, PERSON_TOOLS, type PersonToolName } from '@tendon/protocol';
import { buildRegistry } from './registry.ts';
import { openBench, textOf } from './tool-bench-rig.ts';

/*
 * What people and models send wrongly to each tool of a machine, ten at least for each: refused with the field that is wrong and nothing
 * begun, or a failed result that says what would be right and nothing changed. Patches have a table of their own (apply-patch.test.ts), and
 * so has what a page does not allow (chromium-wrong-input.test.ts). What a model reads of a wrong shape comes from the server, which checks
 * first, in the same words (tests/integration/wrong-inputs.test.ts); here it is what a server that does not check is told.
 */

type ToolName = LocalToolName | PersonToolName;

/** Given to every tool. */
const NO_OBJECT: readonly unknown[] = [undefined, null, [], 'text', '{}', 7, true];
const TOO_LONG = 'x'.repeat(4_097);
const WRONG_PATHS: readonly unknown[] = ['', 7, null, {}, ['a'], TOO_LONG];
const WRONG_REFS: readonly unknown[] = ['', 'e', '12', '#id', 'e1 ', 'button "Save"', 'E1', 12, null, ['e1']];
const WRONG_IDS: readonly unknown[] = ['', 7, null, ['p1'], 'p'.repeat(21)];

const each = (key: string, values: readonly unknown[], rest: object = {}): object[] => values.map((value) => ({ ...rest, [key]: value }));
const GOOD_EDIT = { oldText: 'a', newText: 'b' };
const CALL = '0192a7c0-0000-7000-8000-000000000001';
const UNDO = { calls: [CALL], files: ['a'], others: [] };

/** A new tool without a row does not compile. */
const SHAPES: Readonly<Record<ToolName, readonly object[]>> = {
  read_file: [
    {},
    { file: 'a' },
    { path: 'a', offset: 1 },
    ...each('path', WRONG_PATHS),
    ...each('startLine', [0, -1, 1.5, '1', null], { path: 'a' }),
    { path: 'a', endLine: 0 },
  ],
  write_file: [{}, { path: 'a' }, { content: '' }, ...each('path', WRONG_PATHS, { content: '' }), ...each('content', [7, null, {}, ['a']], { path: 'a' })],
  edit_file: [
    ...[{}, GOOD_EDIT, { path: 'a', oldText: 'a' }, { path: 'a', newText: 'a' }, { path: 'a', oldText: '', newText: 'b' }],
    ...each('replaceAll', ['yes', 1, null], { path: 'a', ...GOOD_EDIT }),
    ...each('path', WRONG_PATHS, GOOD_EDIT),
  ],
  multi_edit: [
    ...[{}, { path: 'a' }, { edits: [GOOD_EDIT] }, { path: 'a', edits: [{ oldText: '' }] }, { path: 'a', edits: [GOOD_EDIT, 'a'] }],
    ...each('edits', [[], 'a', GOOD_EDIT, null, Array.from({ length: 201 }, () => GOOD_EDIT)], { path: 'a' }),
  ],
  apply_patch: [{}, { diff: 'a' }, ...each('patch', ['', 7, null, [], {}, ['*** Begin Patch']])],
  undo_changes: [
    ...[{}, { calls: [CALL], files: ['a'] }, ...each('calls', [[], ['p1'], CALL, null], UNDO)],
    ...[...each('files', [[], [''], 'a', [7], [TOO_LONG]], UNDO), ...each('others', ['none', [{}], null], UNDO)],
  ],
  bash: [
    ...[
      {},
      { cmd: 'ls' },
      { command: 'ls', timeout: 5 },
      { command: 'ls', run_in_background: true },
      ...each('command', ['', 7, null, ['ls'], 'x'.repeat(100_001)]),
    ],
    ...each('timeoutMs', [0, 99, 3_600_001, 1.5, '5 s', -1], { command: 'ls' }),
    ...[...each('cwd', ['', 7, TOO_LONG], { command: 'ls' }), ...each('background', ['yes', 1], { command: 'ls' })],
  ],
  list_processes: [{ id: 'p1' }, { all: true }, { path: '.' }],
  read_process: [{}, ...each('id', WRONG_IDS), ...each('fromByte', [-1, 1.5, '0', null], { id: 'p1' }), ...each('waitMs', [-1, 60_001, '1'], { id: 'p1' })],
  write_process: [{}, ...each('id', WRONG_IDS, { text: 'a' }), ...each('text', ['', 7, 'x'.repeat(3_001)], { id: 'p1' }), { id: 'p1', keys: ['ctrl_z'] }],
  stop_process: [{}, { pid: 1 }, { name: 'p1' }, ...each('id', WRONG_IDS)],
  list_folder: [...each('path', WRONG_PATHS)],
  glob: [{}, { path: 'a' }, ...each('pattern', ['', 7, null, ['*.ts'], 'x'.repeat(1_001)]), ...each('path', WRONG_PATHS, { pattern: '*' })],
  grep: [
    ...[{}, { query: 'a' }, ...each('pattern', ['', 7, null, ['a'], 'x'.repeat(10_001)])],
    ...[...each('maxResults', [0, 2_001, 1.5, '10'], { pattern: 'a' }), { pattern: 'a', glob: '' }, { pattern: 'a', ignoreCase: 'yes' }],
  ],
  browser_navigate: [{}, { link: 'https://example.org' }, ...each('url', ['', 7, null, [], 'x'.repeat(8_193)])],
  browser_snapshot: each('fromLine', [0, -1, 1.5, 'a', null, 1_000_001]),
  browser_click: [{}, { element: 'button' }, ...each('ref', WRONG_REFS), ...each('button', ['middel', 1], { ref: 'e1' }), { ref: 'e1', double: 'yes' }],
  browser_fill: [{}, { ref: 'e1' }, { text: 'a' }, ...each('ref', WRONG_REFS, { text: 'a' }), ...each('text', [1, null, ['a']], { ref: 'e1' })],
  browser_type: [{}, ...each('text', ['', 1, null, 'x'.repeat(5_001)]), ...each('ref', WRONG_REFS, { text: 'a' }), { text: 'a', submit: 1 }],
  browser_select: [{ ref: 'e1' }, { values: [] }, ...each('ref', WRONG_REFS, { values: [] }), ...each('values', ['a', [1], null], { ref: 'e1' })],
  browser_press: [{}, ...each('key', ['', 3, null, ['Enter'], 'x'.repeat(51)]), ...each('ref', WRONG_REFS, { key: 'Enter' })],
  browser_hover: [{}, { element: 'button' }, ...each('ref', WRONG_REFS), { ref: 'e1', element: '' }],
  browser_scroll: [...each('direction', ['left', 'DOWN', 1, null]), ...each('ref', WRONG_REFS)],
  browser_wait: [...each('text', ['', 1, null]), ...each('gone', ['', 1]), ...each('ms', [0, -1, 60_001, 1.5, '5'])],
  browser_screenshot: [...each('fullPage', ['yes', 1, null]), ...each('ref', WRONG_REFS)],
  browser_tabs: [{}, ...each('action', ['open', '', 1, null]), ...each('index', [-1, 1.5, 'a', 1_001], { action: 'select' })],
  browser_extract: [...each('offset', [-1, 1.5, 'a']), ...each('ref', WRONG_REFS), { links: 'all' }],
  browser_upload: [{ ref: 'e1' }, { paths: ['a'] }, ...each('ref', WRONG_REFS, { paths: ['a'] }), ...each('paths', [[], [''], 'a', [7]], { ref: 'e1' })],
  browser_download: [{}, ...each('ref', WRONG_REFS), ...each('path', WRONG_PATHS, { ref: 'e1' })],
};

const registry = buildRegistry();

for (const [tool, own] of Object.entries(SHAPES)) {
  const wrong = [...NO_OBJECT, ...own];
  test(`G10, W3: ${wrong.length} inputs of a wrong shape for ${tool} are refused, and each refusal names what is wrong`, () => {
    for (const input of wrong) {
      const prepared = registry.prepare(tool, input);
      const sent = JSON.stringify(input)?.slice(0, 80);
      assert.ok(!prepared.ok && prepared.code === 'invalid_input', `${tool} takes ${sent}`);
      const [faults = '', rest = ''] = prepared.message.split(/ (?=Its fields: |It has no fields\.)/);
      assert.match(faults, new RegExp(`^The input of ${tool} is wrong: .*\\.$`), sent);
      assert.match(rest, /Send the call again with (these|\{\})\.$/, sent);
      // The field that is wrong stands in it by name, whenever there is one.
      const fields = Object.keys((tool in LOCAL_TOOLS ? LOCAL_TOOLS : PERSON_TOOLS)[tool as never]['input']['shape']);
      if (!NO_OBJECT.includes(input)) assert.match(faults, new RegExp(`\\b(${[...fields, ...Object.keys(input as object)].join('|')})\\b`), sent);
    }
  });
}

test('G10, W3: every tool has ten or more', () => {
  const few = Object.entries(SHAPES).filter(([, own]) => own.length + NO_OBJECT.length < 10);
  assert.deepEqual(few, []);
});

/** Names as they occur, none of which is a folder of the workspace that a tool may look into. */
const NO_FOLDERS = [
  ...['../outside', 'a b/../../outside', 'link out', '.tendon', 'it is "not" there', "it's/not/there", 'no\nsuch', 'ü\u{1F98A}', 'file/below', 'nul\0', 'file'],
];
/** None of which can be written as a file. */
const NO_PLACES_FOR_A_FILE = ['../outside', 'a b/../../outside', 'link out', '.tendon', 'file/below', 'nul\0', 'a b', 'x'.repeat(300), '/etc', 'pipe'];
const NO_FILES = [...NO_PLACES_FOR_A_FILE, ...NO_FOLDERS.filter((path) => path !== 'file')];
const NO_PROCESSES = ['p1', 'P1', '1', 'p-1', 'p1 ', '../p1', 'p1; ls', 'p\0', 'ü\u{1F98A}', 'bash\n'];

const path = (paths: readonly string[], rest: object = {}): object[] => paths.map((one) => ({ ...rest, path: one }));

/** Well-shaped, and wrong all the same. */
const MISTAKES: Partial<Readonly<Record<ToolName, readonly object[]>>> = {
  read_file: path(NO_FILES),
  write_file: path(NO_PLACES_FOR_A_FILE, { content: 'OWNED' }),
  edit_file: path(NO_FILES, GOOD_EDIT),
  multi_edit: path(NO_FILES, { edits: [GOOD_EDIT] }),
  list_folder: path(NO_FOLDERS),
  glob: path(NO_FOLDERS, { pattern: '*' }),
  grep: path([...NO_FOLDERS.filter((place) => place !== 'file'), 'pipe'], { pattern: '.' }),
  bash: NO_FOLDERS.map((cwd) => ({ cwd, command: 'echo OWNED > owned' })),
  read_process: NO_PROCESSES.map((id) => ({ id })),
  write_process: NO_PROCESSES.map((id) => ({ id, text: 'OWNED' })),
  stop_process: NO_PROCESSES.map((id) => ({ id })),
};

/** What an answer says would be right, by its code. */
const RIGHT: Readonly<Record<string, RegExp>> = {
  outside_workspace: /Give a path inside it, relative to it/,
  forbidden_path: /Choose another path/,
  not_found: /Use (glob|list_folder) to find the right path|no process .* It has none/,
  is_folder: /Use list_folder|Name a file|list_folder/,
  not_a_folder: /ame a folder/,
  not_a_file: /Choose a regular file|Choose/,
  invalid_path: /Leave it out/,
  name_too_long: /Choose a shorter one/,
};

async function treeOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries.map(async (entry) => {
      const place = join(entry.parentPath, entry.name);
      return entry.isFile() ? `${place}: ${await readFile(place, 'utf8')}` : place;
    }),
  );
}

const bench = await openBench();
after(() => bench[Symbol.asyncDispose]());
await mkdir(join(bench.root, 'a b'));
await writeFile(join(bench.root, 'file'), 'one\n');
await writeFile(join(bench.outside, 'secret'), 'SECRET');
await symlink(bench.outside, join(bench.root, 'link out'));
execFileSync('mkfifo', [join(bench.root, 'pipe')]);
const before = [await treeOf(bench.root), await treeOf(bench.outside)];

for (const [tool, mistakes] of Object.entries(MISTAKES)) {
  test(`G20, G21, G43: ${mistakes.length} mistakes in calls of ${tool} are told with what would be right, and nothing is changed`, async () => {
    assert.ok(mistakes.length >= 10);
    for (const input of mistakes) {
      const result = await bench.run(tool, input);
      const sent = JSON.stringify(input).slice(0, 100);
      assert.equal(result.status, 'failed', sent);
      assert.match(textOf(result), RIGHT[result.error?.code ?? ''] ?? /no such code/, `${sent}: ${result.error?.code} ${textOf(result)}`);
      assert.doesNotMatch(textOf(result), /SECRET/, sent);
    }
    assert.deepEqual([await treeOf(bench.root), await treeOf(bench.outside)], before);
  });
}
