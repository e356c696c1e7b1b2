import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { v7 as newId } from 'uuid';
import { makeChanges } from './change-files.ts';
import { ToolFault } from './faults.ts';
import { applyHunks } from './file-lines.ts';
import { buildRegistry } from './registry.ts';
import { lookAtFile, readWholeText } from './text-file.ts';
import { openBench, type ToolBench, textOf } from './tool-bench-rig.ts';

const patchOf = (...lines: string[]): string => ['*** Begin Patch', ...lines, '*** End Patch'].join('\n');

/** Every file of the workspace with its text, to see that nothing has changed. */
async function textsOf(bench: ToolBench): Promise<Record<string, string>> {
  const names = (await readdir(bench.root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const pairs = await Promise.all(
    names.map(async (entry) => [join(entry.parentPath, entry.name), await readFile(join(entry.parentPath, entry.name), 'latin1')]),
  );
  return Object.fromEntries(pairs) as Record<string, string>;
}

test('G45: one patch adds, updates, moves and deletes files, with a diff of each', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'app.ts'), 'import a;\n\nfunction one() {\n  return 1;\n}\n\nfunction two() {\n  return 1;\n}\n');
  await writeFile(join(bench.root, 'run.sh'), 'echo old\n');
  await chmod(join(bench.root, 'run.sh'), 0o750);
  await writeFile(join(bench.root, 'gone.txt'), 'gone\n');
  const patch = patchOf(
    '*** Add File: new/deep.txt',
    '+first',
    '+',
    '+third',
    '*** Update File: app.ts',
    '@@',
    '-import a;',
    '+import b;',
    '@@ function two() {',
    '-  return 1;',
    '+  return 2;',
    ' }',
    '*** End of File',
    '',
    '*** Update File: run.sh',
    '*** Move to: bin/run.sh',
    '@@',
    '-echo old',
    '+echo new',
    '*** Delete File: gone.txt',
  );
  const result = await bench.run('apply_patch', { patch });
  assert.equal(result.status, 'succeeded', textOf(result));
  assert.equal(await readFile(join(bench.root, 'new/deep.txt'), 'utf8'), 'first\n\nthird\n');
  assert.equal(await readFile(join(bench.root, 'app.ts'), 'utf8'), 'import b;\n\nfunction one() {\n  return 1;\n}\n\nfunction two() {\n  return 2;\n}\n');
  assert.equal(await readFile(join(bench.root, 'bin/run.sh'), 'utf8'), 'echo new\n');
  assert.equal((await stat(join(bench.root, 'bin/run.sh'))).mode & 0o777, 0o750);
  assert.deepEqual((await readdir(bench.root)).sort(), ['.tendon', 'app.ts', 'bin', 'new']);
  assert.deepEqual([result.meta?.added, result.meta?.removed], [6, 4]);
  assert.match(textOf(result), /Added "new\/deep.txt".*\nUpdated "app.ts" \(\+2 -2 lines\)\.\nMoved "run.sh" to "bin\/run.sh".*\nDeleted "gone.txt"\./);
  for (const name of ['b/new/deep.txt', 'b/app.ts', 'a/run.sh', 'b/bin/run.sh', 'a/gone.txt']) assert.ok(result.meta?.diff?.includes(` ${name}`), name);
});

test('G45: line ends, byte order mark and a missing last line end stay as they are', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'crlf'), '\ufeffone\r\ntwo\r\nthree');
  const patch = patchOf('*** Update File: crlf', '@@', '-one', '+ONE', '+and a half', ' two', '*** Update File: lf', '@@', ' a', '+b');
  await writeFile(join(bench.root, 'lf'), 'a\n');
  for (const sent of [patch, patch.replaceAll('\n', '\r\n')]) {
    await writeFile(join(bench.root, 'crlf'), '\ufeffone\r\ntwo\r\nthree');
    await writeFile(join(bench.root, 'lf'), 'a\n');
    const result = await bench.run('apply_patch', { patch: sent });
    assert.equal(result.status, 'succeeded', textOf(result));
    assert.equal(await readFile(join(bench.root, 'crlf'), 'utf8'), '\ufeffONE\r\nand a half\r\ntwo\r\nthree');
    assert.equal(await readFile(join(bench.root, 'lf'), 'utf8'), 'a\nb\n');
  }
  await bench.run('apply_patch', { patch: patchOf('*** Update File: crlf', '@@ two', '-three', '+3', '+4', '*** End of File') });
  assert.equal(await readFile(join(bench.root, 'crlf'), 'utf8'), '\ufeffONE\r\nand a half\r\ntwo\r\n3\r\n4');
});

test('G45: a file may have more lines than a call takes arguments, before and behind what is changed', async () => {
  await using bench = await openBench();
  const many = 'x\n'.repeat(200_000);
  await writeFile(join(bench.root, 'long.txt'), `${many}here\n${many}`);
  const result = await bench.run('apply_patch', { patch: patchOf('*** Update File: long.txt', '@@', '-here', '+there') });
  assert.equal(result.status, 'succeeded', textOf(result));
  assert.equal(await readFile(join(bench.root, 'long.txt'), 'utf8'), `${many}there\n${many}`);
});

/** What models send wrongly, the code that it gets, and what the answer must say. */
const WRONG: readonly [name: string, patch: string, code: string, words: RegExp][] = [
  ['no end marker', '*** Begin Patch\n*** Update File: a\n@@\n-one\n+1', 'invalid_patch', /without "\*\*\* End Patch".*cut/],
  ['no end marker after an added file', '*** Begin Patch\n*** Add File: n\n+x\n', 'invalid_patch', /without "\*\*\* End Patch"/],
  ['a context that occurs twice', patchOf('*** Update File: a', '@@', '-same', '+other'), 'found_several_times', /2 places, at lines 3, 5/],
  [
    'a context that is not there',
    patchOf('*** Update File: a', '@@', ' one', '-zwei', '+2'),
    'not_found_in_file',
    /at line 2 the file has " {2}two", where the patch has "zwei"/,
  ],
  ['wrong indentation', patchOf('*** Update File: a', '@@', '-    two', '+2'), 'not_found_in_file', /Line 2 has other white space: the file has " {2}two"/],
  [
    'no blank before a line that stays',
    patchOf('*** Update File: a', '@@', 'one', '-  two'),
    'invalid_patch',
    /Line 4 of the patch: "one" begins with neither a blank/,
  ],
  ['a path outside', patchOf('*** Add File: ../outside/n', '+x'), 'outside_workspace', /relative to it/],
  ['an absolute path outside', patchOf('*** Update File: /etc/passwd', '@@', '-root', '+x'), 'outside_workspace', /inside the workspace/],
  ['a link that leads outside', patchOf('*** Update File: link out/secret', '@@', '-SECRET', '+x'), 'outside_workspace', /links may not lead out/],
  ["the gateway's own folder", patchOf('*** Add File: .tendon/gateway-policy.json', '+{}'), 'forbidden_path', /own folder/],
  ['an added file that exists', patchOf('*** Add File: a', '+x'), 'already_exists', /Update File/],
  ['a missing file deleted', patchOf('*** Delete File: missing'), 'not_found', /cannot be deleted/],
  ['a missing file updated', patchOf('*** Update File: missing', '@@', '-x', '+y'), 'not_found', /Add File/],
  ['an update after a delete', patchOf('*** Delete File: a', '*** Update File: ./a', '@@', '-one', '+1'), 'invalid_patch', /twice, at lines 2 and 3/],
  [
    'a file by two names',
    patchOf('*** Update File: a', '@@', '-one', '+1', '*** Update File: inner link', '@@', '-  two', '+2'),
    'invalid_patch',
    /are one file/,
  ],
  ['an empty patch', patchOf(), 'invalid_patch', /empty/],
  ['nothing at all', '\n\n', 'invalid_patch', /empty/],
  ['a unified diff', '--- a/a\n+++ b/a\n@@ -1 +1 @@\n-one\n+1\n', 'invalid_patch', /unified diff.*Begin Patch/],
  ['a code fence', `\`\`\`\n${patchOf('*** Delete File: a')}\n\`\`\``, 'invalid_patch', /must begin with/],
  ['text after the end', `${patchOf('*** Delete File: a')}\nDone!`, 'invalid_patch', /Line 4 of the patch: There is text after/],
  ['a hunk that changes nothing', patchOf('*** Update File: a', '@@', ' one'), 'invalid_patch', /changes nothing/],
  ['a section that changes nothing', patchOf('*** Update File: a'), 'invalid_patch', /changes nothing/],
  ['an unknown header', patchOf('*** Rename File: a'), 'invalid_patch', /none of the headers/],
  ['a header without a path', patchOf('*** Delete File:'), 'invalid_patch', /names no path/],
  ['lines of no file', patchOf('@@', '-one'), 'invalid_patch', /belongs to no file/],
  ['lines under a delete', patchOf('*** Delete File: a', '-one'), 'invalid_patch', /the whole file goes/],
  ['an added line without a plus', patchOf('*** Add File: n', 'x'), 'invalid_patch', /has no \+ in front/],
  ['a move onto a file', patchOf('*** Update File: a', '*** Move to: b', '@@', '-one', '+1'), 'already_exists', /"b" exists already/],
  [
    'a move onto a folder',
    patchOf('*** Update File: a', '*** Move to: folder'),
    'is_folder',
    /"folder" is a folder\. Name the file in it, such as "folder\/a"/,
  ],
  ['a move into a folder', patchOf('*** Update File: a', '*** Move to: new/'), 'is_folder', /names a folder\. Name the file in it, such as "new\/a"/],
  ['a file added onto a folder', patchOf('*** Add File: folder', '+x'), 'is_folder', /Name the file in it, such as "folder\/name\.txt"/],
  [
    'a move to its own path',
    patchOf('*** Update File: a', '*** Move to: ./a', '@@', '-one', '+1'),
    'invalid_patch',
    /line 2\) is moved to its own path\. Leave "\*\*\* Move to:" out/,
  ],
  [
    'hunks that put in what is there',
    patchOf('*** Update File: a', '@@', '-one', '+one'),
    'invalid_patch',
    /"a" \(line 2\) changes nothing: what comes is what stands there/,
  ],
  [
    'a file below an added file',
    patchOf('*** Add File: q/w', '+x', '*** Add File: q/w/z', '+x'),
    'invalid_patch',
    /"q\/w\/z" cannot be: "q\/w" is a file of this patch/,
  ],
  ['a file below a deleted file', patchOf('*** Delete File: a', '*** Add File: a/b/c', '+x'), 'invalid_patch', /delete that file first, in a patch of its own/],
  ['a file moved below itself', patchOf('*** Update File: a', '*** Move to: a/b'), 'invalid_patch', /nothing can be below a file/],
  ['a move in the wrong place', patchOf('*** Move to: b'), 'invalid_patch', /directly under/],
  ['lines that say not where', patchOf('*** Update File: a', '@@', '+new'), 'not_found_in_file', /does not say where/],
  ['an anchor that is not there', patchOf('*** Update File: a', '@@ class X', '-one', '+1'), 'not_found_in_file', /"class X", which is not there/],
  ['an anchor that occurs twice', patchOf('*** Update File: a', '@@ same', ' last', '+x'), 'found_several_times', /stands at lines 3, 5/],
  ['a line above its anchor', patchOf('*** Update File: a', '@@   two', '-one', '+1'), 'not_found_in_file', /fits only at line 1, above/],
  ['not at the end', patchOf('*** Update File: a', '@@', '-one', '+1', '*** End of File'), 'not_found_in_file', /not the end of the file/],
  ['two hunks for one line', patchOf('*** Update File: a', '@@', '-one', '+1', '@@', '-one', '+2'), 'not_found_in_file', /another hunk changes too/],
  ['a link deleted', patchOf('*** Delete File: inner link'), 'is_link', /Name the file that it leads to/],
  ['a folder', patchOf('*** Delete File: folder'), 'is_folder', /folder/],
  ['a binary file', patchOf('*** Update File: binary', '@@', '-one', '+1'), 'binary_file', /binary/],
  [
    'two mistakes',
    patchOf('*** Update File: a', '@@', '-nope', '+1', '*** Delete File: missing'),
    'not_found_in_file',
    /does not fit.*\n"missing" does not exist/,
  ],
];

test('G45: a patch that does not fit changes nothing, in no file, and the answer says what would be right', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'a'), 'one\n  two\nsame\nmiddle\nsame\nlast\n');
  await writeFile(join(bench.root, 'b'), 'b\n');
  await writeFile(join(bench.root, 'good'), 'good\n');
  await writeFile(join(bench.root, 'binary'), Buffer.from([1, 0, 2]));
  await mkdir(join(bench.root, 'folder'));
  await writeFile(join(bench.outside, 'secret'), 'SECRET\n');
  await symlink(bench.outside, join(bench.root, 'link out'));
  await symlink('a', join(bench.root, 'inner link'));
  const before = await textsOf(bench);
  for (const [name, wrong, code, words] of WRONG) {
    const good = '*** Begin Patch\n*** Update File: good\n@@\n-good\n+better\n*** Add File: added\n+x';
    for (const patch of [wrong, wrong.replace('*** Begin Patch', good)]) {
      if (patch !== wrong && name === 'an empty patch') continue;
      const result = await bench.run('apply_patch', { patch });
      assert.equal(result.error?.code, code, `${name}: ${textOf(result)}`);
      if (patch === wrong) assert.match(textOf(result), words, name);
      assert.match(textOf(result), /Nothing was changed/, name);
      assert.deepEqual(await textsOf(bench), before, name);
    }
  }
  assert.equal(await readFile(join(bench.outside, 'secret'), 'utf8'), 'SECRET\n');
  assert.deepEqual(await readdir(bench.outside), ['secret']);
});

test('G45: what was written before a write failed is put back, and what cannot be is named', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'a'), 'one\n');
  await writeFile(join(bench.root, 'file'), 'not a folder\n');
  const before = await textsOf(bench);
  const patch = patchOf('*** Add File: new/deep/early', '+x', '*** Update File: a', '@@', '-one', '+1', '*** Add File: file/below', '+x');
  const result = await bench.run('apply_patch', { patch });
  assert.equal(result.status, 'failed');
  assert.match(textOf(result), /Nothing was changed/);
  assert.deepEqual(await textsOf(bench), before);
  assert.deepEqual((await readdir(bench.root)).sort(), ['.tendon', 'a', 'file'], 'no folder is left either');

  const file = await readWholeText(bench.workspace, 'a');
  const former = { data: file.bytes, mode: file.mode };
  const changes = [
    { path: 'a', data: Buffer.from('ours') },
    { path: 'fresh', data: Buffer.from('fresh') },
    { path: 'file/below', data: Buffer.from('x') },
  ].map((change) => (change.path === 'a' ? { ...change, former } : change));
  // Somebody writes just before the last of them is to be made.
  Object.defineProperty(changes[2], 'mode', { get: () => writeFileSync(join(bench.root, 'a'), 'theirs, meanwhile') });
  const context = { workspace: bench.workspace, sessionId: newId(), callId: newId(), snapshots: bench.snapshots };
  const words = await makeChanges(context, changes).then(
    () => 'made',
    (error: unknown) => (error instanceof ToolFault ? error.message : 'broken'),
  );
  assert.match(words, /These files are changed: "a"\./);
  assert.equal(await readFile(join(bench.root, 'a'), 'utf8'), 'theirs, meanwhile');
  assert.ok(!(await readdir(bench.root)).includes('fresh'));
});

test('G45: folders that were made for what failed go again, unless somebody has put something into them', async () => {
  await using bench = await openBench();
  const context = { workspace: bench.workspace, sessionId: newId(), callId: newId(), snapshots: bench.snapshots };
  const tooLong = 'x'.repeat(300);
  for (const path of [`made/deep/${tooLong}/below`, `made/deep/${tooLong}`]) {
    await assert.rejects(makeChanges(context, [{ path, data: Buffer.from('x') }]), /Nothing was changed/);
    assert.deepEqual(await readdir(bench.root), ['.tendon'], path.slice(0, 20));
  }
  const changes = ['made/ours', 'kept/ours', 'made/ours/below'].map((path) => ({ path, data: Buffer.from('x') }));
  Object.defineProperty(changes[2], 'mode', { get: () => writeFileSync(join(bench.root, 'kept/theirs'), 'theirs') });
  await assert.rejects(makeChanges(context, changes), /Nothing was changed/);
  assert.deepEqual((await readdir(bench.root)).sort(), ['.tendon', 'kept']);
  assert.deepEqual(await readdir(join(bench.root, 'kept')), ['theirs']);
});

test('G45: a file goes whatever is in it, comes back when another change fails, and can be had back', async () => {
  await using bench = await openBench();
  const binary = Buffer.from([1, 0, 255, 2]);
  await writeFile(join(bench.root, 'binary'), binary, { mode: 0o640 });
  await writeFile(join(bench.root, 'odd'), Buffer.from([0x81, 0x41]));
  await writeFile(join(bench.root, 'large.txt'), 'line\n'.repeat(4 * 1024 * 1024));
  const callId = newId();
  const sessionId = newId();
  const patch = patchOf('*** Delete File: binary', '*** Delete File: odd', '*** Delete File: large.txt');
  const result = await bench.run('apply_patch', { patch }, { callId, sessionId });
  assert.equal(textOf(result), 'Deleted "binary".\nDeleted "odd".\nDeleted "large.txt".');
  assert.deepEqual(await readdir(bench.root), ['.tendon']);
  const undone = await bench.run('undo_changes', { calls: [callId], files: ['binary', 'odd', 'large.txt'], others: [] }, { sessionId });
  assert.deepEqual(
    undone.meta?.undone?.map(({ outcome }) => outcome),
    ['restored', 'restored', 'restored'],
  );
  assert.deepEqual(await readFile(join(bench.root, 'binary')), binary);

  const { stamp } = await lookAtFile(bench.workspace, 'binary');
  const context = { workspace: bench.workspace, sessionId, callId: newId(), snapshots: bench.snapshots };
  const changes = [
    { path: 'binary', expected: stamp },
    { path: 'odd/below', data: Buffer.from('x') },
  ];
  await assert.rejects(makeChanges(context, changes), /Nothing was changed/);
  assert.deepEqual(await readFile(join(bench.root, 'binary')), binary);
  assert.equal((await stat(join(bench.root, 'binary'))).mode & 0o777, 0o640);

  await truncate(join(bench.root, 'binary'), 65 * 1024 * 1024);
  const tooLarge = await bench.run('apply_patch', { patch: patchOf('*** Delete File: binary') });
  assert.equal(tooLarge.error?.code, 'too_large');
  assert.match(textOf(tooLarge), /nothing is kept for an undo.*Use bash \(rm\)/);
});

test('G45, G38: a file that was changed since it was read is not deleted; a patch leaves what write_file may replace', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'a'), 'one\n');
  await bench.run('read_file', { path: 'a' });
  await writeFile(join(bench.root, 'a'), 'somebody else\n');
  const stale = await bench.run('apply_patch', { patch: patchOf('*** Delete File: a') });
  assert.equal(stale.error?.code, 'changed_since_read');
  assert.equal(await readFile(join(bench.root, 'a'), 'utf8'), 'somebody else\n');
  await bench.run('read_file', { path: 'a' });
  await bench.run('apply_patch', { patch: patchOf('*** Update File: a', '@@', '-somebody else', '+mine') });
  assert.equal((await bench.run('write_file', { path: 'a', content: 'again' })).status, 'succeeded');
  assert.equal((await bench.run('apply_patch', { patch: patchOf('*** Delete File: a') })).status, 'succeeded');
});

test('G45: two patches of one file at once do not lose each other, nor do those that name files in another order', async () => {
  await using bench = await openBench();
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
  for (const name of ['a', 'b']) await writeFile(join(bench.root, name), `${lines.join('\n')}\n`);
  const sections = (index: number): string[] => ['a', 'b'].flatMap((name) => [`*** Update File: ${name}`, '@@', `-line ${index}`, `+changed ${index}`]);
  const patches = lines.map((_, index) => (index % 2 === 0 ? sections(index) : [...sections(index).slice(4), ...sections(index).slice(0, 4)]));
  const results = await Promise.all(patches.map((patch) => bench.run('apply_patch', { patch: patchOf(...patch) })));
  assert.deepEqual(new Set(results.map((result) => result.status)), new Set(['succeeded']));
  for (const name of ['a', 'b']) assert.equal(await readFile(join(bench.root, name), 'utf8'), `${lines.map((_, index) => `changed ${index}`).join('\n')}\n`);
});

test('G45, G13: a rule of the machine is about each of the files of a patch', async () => {
  await using bench = await openBench();
  const patch = patchOf('*** Update File: docs/../secret', '@@', '-a', '+b', '*** Update File: docs/a', '*** Move to: docs/b', '*** Add File: z', '+z');
  const prepared = buildRegistry().prepare('apply_patch', { patch });
  assert.ok(prepared.ok);
  const { written, readings } = prepared.call.subject(bench.workspace);
  assert.deepEqual(new Set([written, ...readings]), new Set(['docs/../secret', 'secret', 'docs/a', 'docs/b', 'z']));
});

test('G45: hunks made from any change of any text give that text', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', '', ' d', '\te'), { maxLength: 12 });
  fc.assert(
    fc.property(fc.tuple(lines, lines, lines, lines), fc.constantFrom('\n', '\r\n'), ([head, gone, come, tail], end) => {
      fc.pre(gone.length + come.length > 0);
      const unique = (part: readonly string[], name: string): string[] => part.map((line, index) => `${line}${name}${index}`);
      const [before, after] = [unique(head, 'h'), unique(tail, 't')];
      fc.pre(before.length + gone.length + after.length > 0);
      const text = (middle: readonly string[]): string => [...before, ...middle, ...after].map((line) => line + end).join('');
      const hunk = [
        ...before.map((line) => ({ sign: ' ' as const, text: line })),
        ...gone.map((line) => ({ sign: '-' as const, text: line })),
        ...come.map((line) => ({ sign: '+' as const, text: line })),
        ...after.map((line) => ({ sign: ' ' as const, text: line })),
      ];
      assert.equal(applyHunks(text(gone), 'f', [{ line: 1, anchors: [], lines: hunk, isAtEnd: false }]), text(come));
    }),
  );
});
