import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { applyEdit } from './edit-file.ts';
import { ToolFault } from './faults.ts';
import { applyEdits } from './multi-edit.ts';
import { replaceFile } from './replace-file.ts';
import { readWholeText } from './text-file.ts';
import { openBench, textOf } from './tool-bench-rig.ts';

test('G22: lines are numbered, ranges are exact, CRLF and a missing last newline do not matter', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'a'), 'one\r\ntwo\nthree');
  assert.equal(textOf(await bench.run('read_file', { path: 'a' })), '     1\tone\n     2\ttwo\n     3\tthree');
  assert.equal(textOf(await bench.run('read_file', { path: 'a', startLine: 2, endLine: 2 })), '     2\ttwo');
  assert.equal(textOf(await bench.run('read_file', { path: 'a', startLine: 3, endLine: 900 })), '     3\tthree');
  const beyond = await bench.run('read_file', { path: 'a', startLine: 4 });
  assert.equal(beyond.error?.code, 'out_of_range');
  assert.match(textOf(beyond), /3 lines/);
  assert.equal((await bench.run('read_file', { path: 'a', startLine: 3, endLine: 2 })).error?.code, 'invalid_input');
  await writeFile(join(bench.root, 'empty'), '');
  assert.match(textOf(await bench.run('read_file', { path: 'empty' })), /empty/);
  assert.equal((await bench.run('read_file', { path: 'missing' })).error?.code, 'not_found');
});

test('G22: a long file is cut, and asking as it says gives the rest', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'long'), Array.from({ length: 5_000 }, (_, index) => `line ${index + 1}`).join('\n'));
  const seen: string[] = [];
  for (let startLine: number | undefined = 1; startLine !== undefined; ) {
    const text = textOf(await bench.run('read_file', { path: 'long', startLine }));
    seen.push(...text.split('\n').filter((line) => line.includes('\tline ')));
    const next: string | undefined = /startLine (\d+)/.exec(text)?.[1];
    startLine = next === undefined ? undefined : Number(next);
  }
  assert.equal(seen.length, 5_000);
  assert.equal(seen[4_999], '  5000\tline 5000');
});

test('G22: binary, broken UTF-8 and endless lines are told', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'binary'), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2]));
  await writeFile(join(bench.root, 'broken'), Buffer.from([0x67, 0x72, 0xc3, 0xbc, 0x6e, 0xc3, 0xb6, 0xff]));
  await writeFile(join(bench.root, 'one line'), `${'x'.repeat(3_000_000)}\nnext`);
  assert.equal((await bench.run('read_file', { path: 'binary' })).error?.code, 'binary_file');
  assert.match(textOf(await bench.run('read_file', { path: 'broken' })), /grünö\uFFFD\n\[Some bytes.*iconv/);
  const long = textOf(await bench.run('read_file', { path: 'one line' }));
  assert.ok(long.length < 10_000);
  assert.match(long, /more characters in this line\]\n {5}2\tnext$/);
});

test('G23: a file is replaced in one step, keeps its mode, and nothing else is left', async () => {
  await using bench = await openBench();
  const path = join(bench.root, 'script.sh');
  await writeFile(path, 'old\n');
  await chmod(path, 0o754);
  const before = await stat(path);
  await bench.run('read_file', { path: 'script.sh' });
  const result = await bench.run('write_file', { path: 'script.sh', content: 'new\nlines\n' });
  assert.equal((await stat(path)).mode, before.mode);
  assert.notEqual((await stat(path)).ino, before.ino);
  assert.deepEqual([result.meta?.added, result.meta?.removed], [2, 1]);
  assert.match(result.meta?.diff ?? '', /^--- a\/script\.sh\n\+\+\+ b\/script\.sh\n@@ /);
  await bench.run('write_file', { path: 'deep/er/new file', content: '' });
  assert.deepEqual((await readdir(bench.root)).sort(), ['.tendon', 'deep', 'script.sh']);
  assert.equal((await bench.run('write_file', { path: 'script.sh/below', content: '' })).error?.code, 'not_found');
  assert.equal((await bench.run('write_file', { path: 'x'.repeat(300), content: '' })).error?.code, 'name_too_long');
  assert.equal((await bench.run('write_file', { path: 'nul\0', content: '' })).error?.code, 'invalid_path');
});

test('G24: one occurrence is replaced; none and several are told apart, with their lines', async () => {
  await using bench = await openBench();
  const path = join(bench.root, 'code.ts');
  await writeFile(path, 'const a = 1;\n  const b = 2;\nconst a = 1;\n');
  const several = await bench.run('edit_file', { path: 'code.ts', oldText: 'const a', newText: 'let a' });
  assert.equal(several.error?.code, 'found_several_times');
  assert.match(textOf(several), /2 times .* lines 1, 3/);
  const loose = await bench.run('edit_file', { path: 'code.ts', oldText: '\tconst b  = 2;', newText: 'x' });
  assert.equal(loose.error?.code, 'not_found_in_file');
  assert.match(textOf(loose), /Line 2 has it with other white space/);
  assert.equal((await bench.run('edit_file', { path: 'code.ts', oldText: 'nowhere', newText: 'x' })).error?.code, 'not_found_in_file');
  assert.equal((await bench.run('edit_file', { path: 'code.ts', oldText: 'a', newText: 'a' })).error?.code, 'invalid_input');
  assert.equal((await bench.run('edit_file', { path: 'missing', oldText: 'a', newText: 'b' })).error?.code, 'not_found');
  const one = await bench.run('edit_file', { path: 'code.ts', oldText: 'const b = 2;', newText: 'const b = 3;\n  const c = 4;' });
  assert.deepEqual([one.status, one.meta?.added, one.meta?.removed], ['succeeded', 2, 1]);
  const all = await bench.run('edit_file', { path: 'code.ts', oldText: 'const a', newText: '$& let', replaceAll: true });
  assert.equal(all.status, 'succeeded');
  assert.equal(await readFile(path, 'utf8'), '$& let = 1;\n  const b = 3;\n  const c = 4;\n$& let = 1;\n');
});

test('G24: CRLF and a byte order mark stay as they are', async () => {
  await using bench = await openBench();
  const path = join(bench.root, 'dos.txt');
  await writeFile(path, '\ufeffone\r\ntwo\r\nthree\r\n');
  assert.equal((await bench.run('edit_file', { path: 'dos.txt', oldText: 'one\ntwo', newText: 'one\nand\ntwo' })).status, 'succeeded');
  assert.equal(await readFile(path, 'utf8'), '\ufeffone\r\nand\r\ntwo\r\nthree\r\n');
});

test('G24: fifty edits of one file at once all arrive', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, 'd'));
  await writeFile(join(bench.root, 'd', 'list'), Array.from({ length: 50 }, (_, index) => `<${index}>`).join('\n'));
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      bench.run('edit_file', { path: index % 2 ? 'd/list' : './d/../d/list', oldText: `<${index}>`, newText: `[${index}]` }),
    ),
  );
  assert.deepEqual(results.filter((result) => result.status !== 'succeeded').map(textOf), []);
  assert.doesNotMatch(await readFile(join(bench.root, 'd', 'list'), 'utf8'), /</);
});

test('G24: a file that someone else changes during an edit is left as they made it', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'f'), 'theirs, first');
  const { stamp } = await readWholeText(bench.workspace, 'f');
  await writeFile(join(bench.root, 'f'), 'theirs, second');
  const mine = replaceFile(bench.workspace, { path: 'f', data: Buffer.from('mine'), expected: stamp });
  await assert.rejects(mine, (error: unknown) => error instanceof ToolFault && error.code === 'changed_meanwhile');
  assert.equal(await readFile(join(bench.root, 'f'), 'utf8'), 'theirs, second');
  assert.deepEqual((await readdir(bench.root)).sort(), ['.tendon', 'f']);
});

test('G24: a piece that begins in the middle of an end of a line leaves no half of it', () => {
  const edit = { path: 'p', oldText: '\nmiddle\r\n', newText: '\n' };
  assert.equal(applyEdit('first\r\nmiddle\r\nlast\r\n', edit).text, 'first\r\nlast\r\n');
});

test('G24: for any text and piece, an edit changes exactly that piece or says why not', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r\n', ' ', '\u{1F98A}'), maxLength: 40 });
  const details = fc.check(
    fc.property(
      text,
      text.filter((piece) => piece !== ''),
      text,
      (whole, oldText, newText) => {
        fc.pre(oldText !== newText);
        // Only a carriage return that is written and stands there tells two ends of lines apart.
        const lf = (piece: string): string => piece.replaceAll('\r\n', '\n');
        const before = whole.split(oldText).slice(0, -1);
        const beginsInAnEnd = oldText.startsWith('\n') && before.some((piece) => piece.endsWith('\r'));
        const isExact = !whole.includes('\r\n') || (oldText.includes('\r\n') && whole.includes(oldText) && !beginsInAnEnd);
        const pieces = isExact ? whole.split(oldText) : lf(whole).split(lf(oldText));
        const count = pieces.length - 1;
        try {
          const change = applyEdit(whole, { path: 'p', oldText, newText, replaceAll: true });
          if (!whole.includes('\r\n')) assert.equal(change.text, whole.split(oldText).join(newText));
          assert.equal(lf(change.text), lf(pieces.join(newText)));
          assert.equal(change.lines.length, count);
          assert.ok(change.lines.every((line, index) => line >= (change.lines[index - 1] ?? 1) && line <= whole.split('\n').length));
        } catch (error) {
          assert.ok(error instanceof ToolFault && (error.code === 'not_found_in_file' ? count === 0 : lf(oldText) === lf(newText)));
        }
      },
    ),
    { numRuns: 2_000 },
  );
  assert.ok(!details.failed, `seed ${details.seed}: ${JSON.stringify(details.counterexample)}`);
});

test('G36: a folder is listed with folders first, sizes, links that are told and not followed, and odd names on one line', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, 'zoo', 'deep'), { recursive: true });
  await writeFile(join(bench.root, 'a file'), '12345');
  await writeFile(join(bench.root, '.gitignore'), 'a file\n');
  await writeFile(join(bench.root, 'two\nlines'), '');
  await symlink(bench.outside, join(bench.root, 'way out'));
  assert.equal(
    textOf(await bench.run('list_folder', {})),
    ['zoo/', '.gitignore  7 bytes', 'a file  5 bytes', '"two\\nlines"  0 bytes', `way out -> ${bench.outside}`].join('\n'),
  );
  assert.equal(textOf(await bench.run('list_folder', { path: 'zoo' })), 'deep/');
  assert.match(textOf(await bench.run('list_folder', { path: 'zoo/deep' })), /empty/);
  const wrong: [string, string][] = [
    ['missing', 'not_found'],
    ['a file', 'not_a_folder'],
    ['way out', 'outside_workspace'],
    ['..', 'outside_workspace'],
    ['.tendon', 'forbidden_path'],
    ['/etc', 'outside_workspace'],
    ['nul\0', 'invalid_path'],
    ['x'.repeat(300), 'name_too_long'],
    ['a file/below', 'not_found'],
    ['zoo/../..', 'outside_workspace'],
  ];
  for (const [path, code] of wrong) assert.equal((await bench.run('list_folder', { path })).error?.code, code, path);
  assert.match(textOf(await bench.run('read_file', { path: 'zoo' })), /list_folder/);
});

test('G36: a folder of many entries is cut and says how many are left out', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, 'many'));
  await Promise.all(Array.from({ length: 1_203 }, (_, index) => writeFile(join(bench.root, 'many', `${index}`), '')));
  const result = await bench.run('list_folder', { path: 'many' });
  assert.equal(textOf(result).split('\n').length, 1_001);
  assert.match(textOf(result), /203 further entries\. Use glob/);
  assert.deepEqual([result.meta?.files, result.meta?.truncated], [1_203, true]);
});

test('G37: several edits are made in order, each on what the one before has left, with one diff', async () => {
  await using bench = await openBench();
  const path = join(bench.root, 'code.ts');
  await writeFile(path, 'one\r\ntwo\r\nthree\r\n');
  const edits = [
    { oldText: 'one', newText: 'first\nand' },
    { oldText: 'and\ntwo', newText: 'second' },
    { oldText: 'r', newText: 'R', replaceAll: true },
  ];
  const result = await bench.run('multi_edit', { path: 'code.ts', edits });
  assert.equal(await readFile(path, 'utf8'), 'fiRst\r\nsecond\r\nthRee\r\n');
  assert.equal(result.status, 'succeeded');
  assert.equal(result.meta?.diff?.match(/^@@/gm)?.length, 1);
  assert.match(textOf(result), /lines 1, 2, 3/);
});

test('G37: an edit that cannot be made is named, and none is made', async () => {
  await using bench = await openBench();
  const path = join(bench.root, 'f');
  await writeFile(path, 'a b b');
  const good = { oldText: 'a', newText: 'x' };
  const wrong: [object[], string, RegExp][] = [
    [[good, { oldText: 'b', newText: 'c' }], 'found_several_times', /Edit 2 of 2: .*2 times.*before it leave.* None/],
    [[good, good], 'not_found_in_file', /Edit 2 of 2/],
    [[{ oldText: 'nowhere', newText: '' }, good], 'not_found_in_file', /Edit 1 of 2: (?!.*before it)/],
    [[good, { oldText: 'x', newText: 'x' }], 'invalid_input', /Edit 2 of 2: .*the same/],
  ];
  for (const [edits, code, words] of wrong) {
    const result = await bench.run('multi_edit', { path: 'f', edits });
    assert.equal(result.error?.code, code);
    assert.match(textOf(result), words);
    assert.equal(await readFile(path, 'utf8'), 'a b b');
  }
  for (const input of [{ path: 'f', edits: [] }, { path: 'f' }, { path: 'f', edits: [{ oldText: '' }] }, { path: 'f', edits: 'a' }, { edits: [good] }])
    await assert.rejects(bench.run('multi_edit', input), /The input of multi_edit is wrong/);
  assert.equal((await bench.run('multi_edit', { path: 'missing', edits: [good] })).error?.code, 'not_found');
  assert.equal(
    applyEdits('ab', {
      path: 'f',
      edits: [
        { oldText: 'ab', newText: 'ba' },
        { oldText: 'b', newText: '' },
      ],
    }).text,
    'a',
  );
});

test('G38: a file that was changed since the session read it is not replaced; reading it again lets it be', async () => {
  await using bench = await openBench();
  const path = join(bench.root, 'f');
  await writeFile(path, 'first');
  await bench.run('read_file', { path: 'f' });
  await writeFile(path, 'theirs');
  const refused = await bench.run('write_file', { path: './d/../f', content: 'mine' });
  assert.equal(refused.error?.code, 'changed_since_read');
  assert.match(textOf(refused), /Read it again/);
  assert.equal(await readFile(path, 'utf8'), 'theirs');
  await bench.run('read_file', { path: 'f' });
  assert.equal((await bench.run('write_file', { path: 'f', content: 'mine' })).status, 'succeeded');
  assert.equal((await bench.run('write_file', { path: 'f', content: 'mine again' })).status, 'succeeded');
  await bench.run('bash', { command: 'echo by a command > f' });
  assert.equal((await bench.run('write_file', { path: 'f', content: 'blind' })).error?.code, 'changed_since_read');
  assert.equal(await readFile(path, 'utf8'), 'by a command\n');
});

test('G38: an edit of a file that others changed leaves the rest of it unseen', async () => {
  await using bench = await openBench();
  const path = join(bench.root, 'f');
  await writeFile(path, 'one\ntwo\n');
  await bench.run('read_file', { path: 'f' });
  assert.equal((await bench.run('edit_file', { path: 'f', oldText: 'one', newText: '1' })).status, 'succeeded');
  assert.equal((await bench.run('write_file', { path: 'f', content: '1\ntwo\n' })).status, 'succeeded');
  await writeFile(path, '1\ntwo\nthree, by somebody else\n');
  assert.equal((await bench.run('edit_file', { path: 'f', oldText: 'two', newText: '2' })).status, 'succeeded');
  assert.equal((await bench.run('write_file', { path: 'f', content: '1\n2\n' })).error?.code, 'changed_since_read');
  assert.match(await readFile(path, 'utf8'), /somebody else/);
});

test('G23: what comes into a private file is private while it is written', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'key'), 'secret', { mode: 0o600 });
  let isOver = false;
  const replaced = replaceFile(bench.workspace, { path: 'key', data: Buffer.alloc(64 * 1024 * 1024) }).finally(() => {
    isOver = true;
  });
  const modes = new Set<number>();
  while (!isOver) {
    const drafts = (await readdir(bench.root)).filter((name) => name.endsWith('.tmp'));
    for (const name of drafts) {
      const info = await stat(join(bench.root, name)).catch(() => undefined);
      if (info) modes.add(info.mode & 0o777);
    }
  }
  await replaced;
  assert.deepEqual([...modes], [0o600]);
  assert.equal((await stat(join(bench.root, 'key'))).mode & 0o777, 0o600);
});

test('G38: a text that is too large, or damaged, to be edited is read before it is replaced, too', async () => {
  await using bench = await openBench();
  const path = join(bench.root, 'f');
  const contents = [
    ['large', Buffer.alloc(17 * 1024 * 1024, 'a line\n')],
    ['damaged', Buffer.from([0xc3, 0xbc, 0xc3, 0xbc, 0xff])],
  ] as const;
  for (const [name, content] of contents) {
    const run = (tool: string, input: object) => bench.run(tool, { path: 'f', ...input }, { sessionId: name });
    const write = () => run('write_file', { content: 'mine' });
    await writeFile(path, content);
    assert.equal((await write()).error?.code, 'not_read', name);
    await run('read_file', { endLine: 1 });
    await writeFile(path, Buffer.concat([content, Buffer.from('theirs')]));
    assert.equal((await write()).error?.code, 'changed_since_read', name);
    assert.equal((await stat(path)).size, content.length + 6, name);
    await run('read_file', { endLine: 1 });
    assert.match(textOf(await write()), /now UTF-8: what was there was not read as text/, name);
    await rm(path);
  }
});

test('G22, G38: a byte order mark alone is an empty file, which is read and replaced', async () => {
  await using bench = await openBench();
  for (const mark of [Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from([0xff, 0xfe])]) {
    await writeFile(join(bench.root, 'f'), mark);
    assert.match(textOf(await bench.run('read_file', { path: 'f' })), /^\(The file is empty\.\)/);
    assert.equal((await bench.run('write_file', { path: 'f', content: 'x' })).status, 'succeeded');
    await rm(join(bench.root, 'f'));
  }
});

test('G20: a link that leads to nothing is told as one, and stays', async () => {
  await using bench = await openBench();
  await symlink('nothing', join(bench.root, 'link'));
  for (const [tool, input] of [
    ['write_file', { path: 'link', content: 'x' }],
    ['apply_patch', { patch: '*** Begin Patch\n*** Add File: link\n+x\n*** End Patch' }],
  ] as const) {
    const result = await bench.run(tool, input);
    assert.equal(result.error?.code, 'link_to_nothing', tool);
    assert.match(textOf(result), /"link" is a link that leads to nothing\. Write the file that it names, or take the link away/);
  }
  assert.deepEqual((await readdir(bench.root)).toSorted(), ['.tendon', 'link']);
});

test('G38: each session has its own eyes, and what is empty, gone or no text can be written unread', async () => {
  await using bench = await openBench();
  const path = join(bench.root, 'f');
  await writeFile(path, 'first');
  await bench.run('read_file', { path: 'f' }, { sessionId: 'one' });
  const unread = await bench.run('write_file', { path: 'f', content: 'by two' }, { sessionId: 'two' });
  assert.equal(unread.error?.code, 'not_read');
  assert.match(textOf(unread), /^"f" exists, and you have not read it since the gateway on this machine was started, so nothing was written\. Read it first/);
  assert.equal(await readFile(path, 'utf8'), 'first');
  await bench.run('read_file', { path: 'f' }, { sessionId: 'two' });
  assert.equal((await bench.run('write_file', { path: 'f', content: 'by two' }, { sessionId: 'two' })).status, 'succeeded');
  assert.equal((await bench.run('write_file', { path: 'f', content: 'by one' }, { sessionId: 'one' })).error?.code, 'changed_since_read');
  await rm(path);
  assert.equal((await bench.run('write_file', { path: 'f', content: 'by one' }, { sessionId: 'one' })).status, 'succeeded');
  await writeFile(join(bench.root, 'empty'), '');
  await writeFile(join(bench.root, 'binary'), Buffer.from([0, 255, 0]));
  for (const name of ['empty', 'binary']) assert.equal((await bench.run('write_file', { path: name, content: 'x' })).status, 'succeeded', name);
  // Text to write_file, and a PDF to read_file, which has no text.
  await writeFile(join(bench.root, 'page.pdf'), '%PDF-1.4\nnothing');
  assert.equal((await bench.run('write_file', { path: 'page.pdf', content: 'x' })).error?.code, 'not_read');
  assert.equal((await bench.run('read_file', { path: 'page.pdf' })).status, 'failed');
  assert.equal((await bench.run('write_file', { path: 'page.pdf', content: 'x' })).status, 'succeeded');
});
