import assert from 'node:assert/strict';
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { pathMatcher } from './file-pattern.ts';
import { RecordSplitter } from './ripgrep.ts';
import { openBench, type ToolBench, textOf } from './tool-bench-rig.ts';

async function fill(bench: ToolBench, files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(bench.root, path)), { recursive: true });
    await writeFile(join(bench.root, path), content);
  }
}

test('G29: glob keeps to the pattern and .gitignore, newest first', async () => {
  await using bench = await openBench();
  await fill(bench, {
    '.gitignore': 'ignored/\n*.log\n',
    'src/a.ts': '',
    'src/deep/b.ts': '',
    'c.js': '',
    'ignored/d.ts': '',
    'e.log': '',
    '.git/f.ts': '',
    '.github/g.yml': '',
  });
  await utimes(join(bench.root, 'src/a.ts'), 1_000, 1_000);
  assert.equal(textOf(await bench.run('glob', { pattern: 'src/**/*.ts' })), 'src/deep/b.ts\nsrc/a.ts');
  assert.equal(textOf(await bench.run('glob', { pattern: '*.ts' })), 'src/deep/b.ts\nsrc/a.ts');
  assert.equal(textOf(await bench.run('glob', { pattern: './**/*.{js,log}' })), 'c.js');
  assert.equal(textOf(await bench.run('glob', { pattern: '*.ts', path: 'src/deep' })), 'src/deep/b.ts');
  assert.equal(textOf(await bench.run('glob', { pattern: '.github/*' })), '.github/g.yml');
  assert.match(textOf(await bench.run('glob', { pattern: '*.rs' })), /No file matches/);
  assert.equal((await bench.run('glob', { pattern: '/etc/*' })).error?.code, 'invalid_input');
});

test('G29: any name and any pattern is taken as it is', async () => {
  await using bench = await openBench();
  const names = ['with space.txt', "it's.txt", 'new\nline.txt', '\u{1F98A}.txt', '-e.txt', '--help.txt', 'colon:1:x.txt'];
  await fill(bench, Object.fromEntries(names.map((name) => [name, '--files -x\nneedle\n'])));
  const listed = textOf(await bench.run('glob', { pattern: '*.txt' })).split('\n');
  assert.deepEqual(listed.sort(), names.map((name) => (name.includes('\n') ? JSON.stringify(name) : name)).sort());
  for (const pattern of ['needle', '--files', '-x', '-e']) {
    const result = await bench.run('grep', { pattern });
    assert.equal(result.status, 'succeeded', pattern);
    assert.equal(textOf(result).split('\n').length, pattern === '-e' ? 1 : names.length, `${pattern}: ${textOf(result)}`);
  }
});

test('G29: what ripgrep leaves out by name is nothing that a pattern matches', async () => {
  await using bench = await openBench();
  const names = 'a.ts .a.ts A.TS a.tsx file-1.txt file-12.txt x.ts.bak é.ts {a}.ts {a,b}.ts a,b.ts [a].ts !a.ts a+b.ts @(a).ts noext .hidden -a.ts'.split(' ');
  names.push('with space.ts', 'back\\slash.ts', 'star*.ts');
  await fill(bench, Object.fromEntries(names.flatMap((name) => [name, `deep/er/${name}`]).map((path) => [path, 'needle\n'])));
  const all = names.flatMap((name) => [name, `deep/er/${name}`]);
  const patterns =
    '*.ts .*.ts a.?s *.{ts,tsx} {a,b}.ts {a}.ts [a].ts !a.ts *(a).ts @(a).ts **/*.ts deep/** deep/*/*.ts **/file-?.txt *file-1* *.* * é.* -* {-a,noext}* with*';
  for (const pattern of [...patterns.split(' '), 'with space.ts', 'star\\*.ts', 'deep/er/*a.ts', '*/er/{a,x}*']) {
    const wanted = all.filter(pathMatcher(pattern)).toSorted();
    const listed = textOf(await bench.run('glob', { pattern })).split('\n');
    assert.deepEqual(wanted.length === 0 ? [] : listed.toSorted(), wanted, pattern);
    const found = textOf(await bench.run('grep', { pattern: 'needle', glob: pattern })).split('\n');
    assert.deepEqual(wanted.length === 0 ? [] : found.map((line) => line.split(':')[0]).toSorted(), wanted, `grep ${pattern}`);
  }
});

test('G29: lines come in the same order, whether all of them are shown or the first', async () => {
  await using bench = await openBench();
  const folders = ['a', 'a-b', 'a/c', 'a b', 'a.b', 'B', 'é', 'z/y/x'];
  await fill(bench, Object.fromEntries(folders.flatMap((folder) => ['1', '10', '2', '_'].map((name) => [`${folder}/${name}`, 'hit\nhit\n']))));
  const all = textOf(await bench.run('grep', { pattern: 'hit' })).split('\n');
  assert.equal(all.length, 64);
  for (const maxResults of [1, 2, 31, 63]) {
    const cut = textOf(await bench.run('grep', { pattern: 'hit', maxResults })).split('\n');
    assert.deepEqual(cut.slice(0, -1), all.slice(0, maxResults));
  }
});

test('G29: grep answers path:line:text sorted, cut at its limit, and says so', async () => {
  await using bench = await openBench();
  await fill(bench, { 'b.txt': 'Hit one\nmiss\nhit two\r\n', 'a/x.md': 'a hit\n', '.gitignore': 'no\n', no: 'hit\n', 'bin.dat': 'hit\0\n' });
  assert.equal(textOf(await bench.run('grep', { pattern: 'hit' })), 'a/x.md:1:a hit\nb.txt:3:hit two');
  assert.equal(textOf(await bench.run('grep', { pattern: '^HIT', ignoreCase: true })), 'b.txt:1:Hit one\nb.txt:3:hit two');
  assert.equal(textOf(await bench.run('grep', { pattern: 'hit', glob: '*.md' })), 'a/x.md:1:a hit');
  assert.equal(textOf(await bench.run('grep', { pattern: 'hit', path: 'a' })), 'a/x.md:1:a hit');
  await fill(bench, { 'many.txt': 'hit\n'.repeat(1_000) });
  const cut = textOf(await bench.run('grep', { pattern: 'hit', maxResults: 10 })).split('\n');
  assert.equal(cut.length, 11);
  assert.match(cut[10] ?? '', /Cut after 10 lines/);
  const wrong = await bench.run('grep', { pattern: '(' });
  assert.equal(wrong.error?.code, 'search_failed');
  assert.match(textOf(wrong), /unclosed group/);
});

test('G29: links are not followed out, and huge lines are shortened', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.outside, 'canary.txt'), 'CANARY');
  await symlink(bench.outside, join(bench.root, 'link'));
  await symlink(join(bench.outside, 'canary.txt'), join(bench.root, 'canary.txt'));
  assert.match(textOf(await bench.run('grep', { pattern: 'CANARY' })), /Nothing matches/);
  await fill(bench, { 'min.js': `${'x'.repeat(2_000_000)}needle`, 'long.js': `needle${'y'.repeat(5_000)}` });
  const text = textOf(await bench.run('grep', { pattern: 'needle' }));
  assert.ok(text.length < 2_000);
  assert.match(text, /long\.js:1:needley+ \[… \d+ more characters\]/);
  assert.match(text, /min\.js:\?:\[a matching line that is too long to show\]/);
});

test('G29: a stream is cut at its marks wherever the pieces break', () => {
  const bytes = Buffer.from('one\ntwo\n\nthree\n');
  for (let size = 1; size <= bytes.length; size += 1) {
    const records: string[] = [];
    const splitter = new RecordSplitter(10, (record) => records.push(String(record)) > 0);
    for (let at = 0; at < bytes.length; at += size) splitter.add(bytes.subarray(at, at + size));
    assert.deepEqual(records, ['one', 'two', '', 'three']);
  }
});
