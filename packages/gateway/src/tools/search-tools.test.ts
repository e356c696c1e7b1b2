import assert from 'node:assert/strict';
import { readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { decidePolicy, type Policy } from '../policy/policy.ts';
import { pathMatcher } from './path-pattern.ts';
import { buildRegistry } from './registry.ts';
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
  assert.equal(textOf(await bench.run('glob', { pattern: '*.yml' })), '.github/g.yml');
  assert.equal(textOf(await bench.run('glob', { pattern: '**/g.*' })), '.github/g.yml');
  assert.match(
    textOf(await bench.run('glob', { pattern: '*.rs' })),
    /No file matches "\*\.rs"\. What \.gitignore names is not looked at \(nor what \.ignore or \.rgignore name\), and neither is \.git\./,
  );
  assert.equal((await bench.run('glob', { pattern: '/etc/*' })).error?.code, 'invalid_input');
});

test('G29: a NUL character in a pattern is named', async () => {
  await using bench = await openBench();
  for (const tool of ['glob', 'grep']) {
    const result = await bench.run(tool, { pattern: 'a\0b' });
    assert.equal(result.error?.code, 'invalid_input', tool);
    assert.match(textOf(result), /The pattern contains a NUL character.*Leave it out/, tool);
  }
});

test('G29: others have their turn while the files of one folder are looked at, and what is exchanged meanwhile leads nowhere', async (context) => {
  const glob = async (meanwhile: (bench: ToolBench) => void): Promise<string[]> => {
    await using bench = await openBench();
    await fill(bench, Object.fromEntries(Array.from({ length: 250 }, (_, index) => [`flat/${index}.txt`, ''])));
    let looks = 0;
    const clock = context.mock.method(performance, 'now', () => {
      looks += 1;
      // The first look is that before the first file.
      if (looks === 2) setImmediate(() => meanwhile(bench));
      return looks * 1_000;
    });
    const lines = textOf(await bench.run('glob', { pattern: 'flat/*' })).split('\n');
    clock.mock.restore();
    return lines;
  };
  const removed = await glob(({ root }) => {
    for (const name of readdirSync(join(root, 'flat'))) rmSync(join(root, 'flat', name));
  });
  assert.equal(removed.length, 100);
  const exchanged = await glob(({ root, outside }) => {
    renameSync(join(root, 'flat'), join(outside, 'flat'));
    symlinkSync(join(outside, 'flat'), join(root, 'flat'));
  });
  assert.equal(exchanged.length, 100);
});

test('G29: a pattern that can only be a mistake is refused with what would be right, by glob and as the files of grep', async () => {
  await using bench = await openBench();
  await fill(bench, { 'a.ts': 'hit\n', 'b.yml': 'hit\n' });
  const rows: [pattern: string, right: RegExp][] = [
    ['**/*.{ts', /"\{" that is never closed\. Write \{a,b\}/],
    ['{a', /"\{" that is never closed/],
    ['{a,{b}', /"\{" that is never closed/],
    ['**/*.ts}', /"\}" without a "\{" before it\. Write \{a,b\}/],
    ['[z-a]*', /range z-a, which runs backwards\. Write a-z\./],
    ['[ab', /"\[" that is never closed\. Write \[abc\]/],
    ['[]', /"\[" that is never closed/],
    ['[[:letter:]]', /class \[:letter:\], which is not known\. These are: alpha, /],
    ['../*', /leads out of the folder.*folder as path/],
    ['a/../../*.ts', /leads out of the folder/],
    ['..', /leads out of the folder/],
    ['!*.ts', /nothing can be left out by a pattern\. Give a pattern for what is wanted/],
    ['src/!(a).ts', /nothing can be left out/],
    ['{!a,b}.ts', /nothing can be left out/],
    ['*.yml,*.ts', /several patterns\. Write them as one, in braces: \{\*\.yml,\*\.ts\}\./],
    ['*.yml *.ts', /in braces: \{\*\.yml,\*\.ts\}/],
    ['src/**, lib/**', /in braces: \{src\/\*\*,lib\/\*\*\}/],
    ['*.@(ts|js)', /alternatives in parentheses\. Write them in braces/],
    ['src/', /names a folder, and only files are found\. Write "src\/\*\*"/],
    ['./', /names a folder.*Write "\.\/\*\*"/],
    ['.', /names a folder, and only files are found\. Write "\*\*"/],
    ['src/.', /Write "src\/\*\*"/],
    ['{}', /empty name by its braces.*Write a name in each choice/],
    ['{a,}', /empty name by its braces/],
    ['**/*.ts, **/Makefile', /in braces: \{\*\*\/\*\.ts,\*\*\/Makefile\}\. Where it is one name, put a backslash before the ","\./],
    ['**/Makefile,**/*.ts', /several patterns/],
    ['/etc/*', /begins with a slash/],
    ['{1..400}', /more than 256 patterns/],
    ['nul\0', /NUL character/],
  ];
  for (const [pattern, right] of rows) {
    for (const result of [await bench.run('glob', { pattern }), await bench.run('grep', { pattern: 'hit', glob: pattern })]) {
      assert.equal(result.error?.code, 'invalid_input', `${pattern}: ${textOf(result)}`);
      assert.match(textOf(result), right, pattern);
    }
  }
});

test('G29: hidden files are found like others, and .git and what .gitignore names are not', async () => {
  await using bench = await openBench();
  await fill(bench, {
    ...{ '.github/workflows/ci.yml': 'on: push\n', '.env.yml': 'on: 1\n', 'a.yml': 'on: 2\n', '.gitignore': '.secret\n' },
    ...{ '.git/c.yml': 'on: 3\n', '.secret/d.yml': 'on: 4\n', 'x/.git/e.yml': 'on: 5\n' },
  });
  const found = ['.env.yml', '.github/workflows/ci.yml', 'a.yml'];
  for (const pattern of ['*.yml', '**/*.yml', '{*.yml,**/*.yml}', '**/[!b]*.yml'])
    assert.deepEqual(
      textOf(await bench.run('glob', { pattern }))
        .split('\n')
        .toSorted(),
      found,
      pattern,
    );
  assert.equal(textOf(await bench.run('glob', { pattern: '*/workflows/?i.yml' })), '.github/workflows/ci.yml');
  const lines = textOf(await bench.run('grep', { pattern: 'on:', glob: '*.yml' })).split('\n');
  assert.deepEqual(lines, ['.env.yml:1:on: 1', '.github/workflows/ci.yml:1:on: push', 'a.yml:1:on: 2']);
  assert.equal(textOf(await bench.run('grep', { pattern: 'on:' })).split('\n').length, 3);
});

test('G29: grep looks into one file when a file is named, whatever .gitignore says of it', async () => {
  await using bench = await openBench();
  await fill(bench, { 'a.txt': 'hit 1\nmiss\nhit 3\n', 'sub/-b [1].txt': 'hit\n', '.gitignore': 'no.txt\n', 'no.txt': 'hit\n', 'bin.dat': 'hit\0\n' });
  await symlink('sub/-b [1].txt', join(bench.root, 'inside.txt'));
  await writeFile(join(bench.outside, 'canary.txt'), 'hit CANARY\n');
  await symlink(join(bench.outside, 'canary.txt'), join(bench.root, 'canary.txt'));
  const grep = async (path: string, more: object = {}): Promise<string> => textOf(await bench.run('grep', { pattern: 'hit', path, ...more }));
  assert.equal(await grep('a.txt'), 'a.txt:1:hit 1\na.txt:3:hit 3');
  assert.equal(await grep(join(bench.root, 'a.txt'), { maxResults: 1 }), 'a.txt:1:hit 1\n[Cut after 1 lines. Narrow the search, or raise maxResults.]');
  assert.equal(await grep('sub/-b [1].txt'), 'sub/-b [1].txt:1:hit');
  assert.equal(await grep('inside.txt'), 'sub/-b [1].txt:1:hit');
  assert.equal(await grep('no.txt'), 'no.txt:1:hit');
  assert.equal(await grep('a.txt', { glob: '*.txt' }), 'a.txt:1:hit 1\na.txt:3:hit 3');
  assert.equal(await grep('a.txt', { pattern: 'none' }), 'Nothing in "a.txt" matches "none".');
  assert.match(await grep('a.txt', { glob: '*.md' }), /of the files that match "\*\.md"/);
  assert.match(await grep('bin.dat'), /binary file/);
  assert.match(await grep('canary.txt'), /not inside the workspace/);
});

test('G13: a grep that names a path is judged as a read_file of that as well, and the stricter rule wins', async () => {
  await using bench = await openBench();
  const registry = buildRegistry();
  const decide = (rules: Policy['rules'], input: object, fallback: Policy['default'] = 'allow'): string => {
    const prepared = registry.prepare('grep', { pattern: 'KEY', ...input });
    assert.ok(prepared.ok);
    const { effect } = prepared.call;
    const question = { tool: 'grep', effect, subject: prepared.call.subject(bench.workspace), workspace: bench.root };
    return decidePolicy({ version: 1, default: fallback, rules }, question).action;
  };
  const deny: Policy['rules'] = [{ tool: 'read_file', subject: '.env*', action: 'deny' }];
  for (const path of ['.env', './.env', 'src/../.env.local', join(bench.root, '.env')]) {
    assert.equal(decide(deny, { path }), 'deny', path);
    assert.equal(decide([{ subject: '.env*', action: 'ask' }], { path }), 'ask', path);
  }
  for (const input of [{}, { path: 'src' }, { path: 'src/.env' }]) assert.equal(decide(deny, input), 'allow', JSON.stringify(input));
  const both = (ofGrep: 'allow' | 'ask' | 'deny', ofRead: 'allow' | 'ask' | 'deny'): string =>
    decide(
      [
        { tool: 'grep', subject: 'KEY', action: ofGrep },
        { tool: 'read_file', action: ofRead },
      ],
      { path: 'a' },
    );
  assert.deepEqual(
    [both('allow', 'ask'), both('ask', 'allow'), both('ask', 'deny'), both('deny', 'allow'), both('allow', 'allow')],
    [...['ask', 'ask', 'deny', 'deny', 'allow']],
  );
  // The default is for calls that no rule is about: one about grep is enough.
  assert.equal(decide([{ tool: 'grep', action: 'allow' }], { path: 'a' }, 'deny'), 'allow');
  assert.equal(decide([{ tool: 'read_file', action: 'allow' }], { path: 'a' }, 'deny'), 'deny');
});

test('G29: what this kind of regular expression does not have is said without options that nobody has', async () => {
  await using bench = await openBench();
  await fill(bench, { a: 'l2\nl3\n' });
  const rows: [pattern: string, says: RegExp][] = [
    ['l3\nL2', /lines are searched one by one.*read_file/],
    ['a\\nb', /lines are searched one by one/],
    ['\\r\\n', /lines are searched one by one/],
    ['(?=x)', /look-ahead, look-behind/],
    ['(?<!x)y', /look-ahead, look-behind/],
    ['(a)\\1', /backreference/],
    ['a{99999}{99999}', /Use smaller numbers of repetitions/],
    ['foo(', /unclosed group.*put a backslash before it/s],
    ['[z-a]', /invalid character class range.*put a backslash before it/s],
  ];
  for (const [pattern, says] of rows) {
    const result = await bench.run('grep', { pattern });
    assert.equal(result.error?.code, 'search_failed', pattern);
    assert.match(textOf(result), says, pattern);
    assert.doesNotMatch(textOf(result), /--|PCRE|Consider|^rg/, pattern);
  }
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
  names.push('\u{1F600}.ts', 'é\u{1F600}.ts', 'with space.ts', 'back\\slash.ts', 'star*.ts');
  await fill(bench, Object.fromEntries(names.flatMap((name) => [name, `deep/er/${name}`]).map((path) => [path, 'needle\n'])));
  const all = names.flatMap((name) => [name, `deep/er/${name}`]);
  const patterns =
    '*.ts .*.ts a.?s *.{ts,tsx} {a,b}.ts {a}.ts [a].ts \\!a.ts \\{a\\}.ts [!a].ts *(a).ts @(a).ts **/*.ts deep/** deep/*/*.ts **/file-?.txt *file-1* *.* * é.* ?.ts ??.ts {?,a}.ts *?.ts -* {-a,noext}* with*';
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
