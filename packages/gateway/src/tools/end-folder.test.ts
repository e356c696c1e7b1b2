import assert from 'node:assert/strict';
import { access, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { EndFolderReport, nextPlace } from './end-folder.ts';
import { cancelled, openBench, textOf } from './tool-bench-rig.ts';

const quoted = (name: string): string => `'${name.replaceAll("'", "'\\''")}'`;

const NAMES = [
  'plain',
  'with space',
  ' ends with a space ',
  "it's",
  'say "hi"',
  'new\nline',
  'ends with a newline\n',
  '\u00fc\u{1F98A}\u200b',
  '$HOME',
  '`id`',
  '$(id)',
  'back\\slash',
  '-n',
  '*',
  ';rm',
];

for (const mode of ['off', 'required'] as const) {
  describe(`G46: where a shell ended, sandbox ${mode}`, () => {
    test('G46: any name of a folder is told as it is, and is where the next command starts', async () => {
      await using bench = await openBench({ mode });
      for (const name of NAMES) {
        const made = await bench.run('bash', { command: `mkdir -p -- ${quoted(name)}/in && cd -- ${quoted(`${name}/in`)} && cd ..` });
        assert.equal(made.meta?.folder, name, textOf(made));
        const next = await bench.run('bash', { command: 'printf %s "$PWD"', cwd: String(made.meta?.folder) });
        assert.equal(textOf(next), join(bench.root, name));
        assert.equal(next.meta?.folder, name);
      }
    });

    test('G46: outside, gone and unknown places leave the session where it is or bring it back, and say so', async () => {
      await using bench = await openBench({ mode });
      await mkdir(join(bench.root, 'sub', 'deep'), { recursive: true });
      const rows: [command: string, cwd: string | undefined, folder: string, says: RegExp][] = [
        ['true', undefined, '.', /^\(no output\)$/],
        ['cd sub', undefined, 'sub', /\[In sub\. The next command starts there/],
        ['true', 'sub', 'sub', /^\(no output\)$/],
        ['cd deep; cd ..; echo here', 'sub', 'sub', /^here\n$/],
        ['cd ..', 'sub', '.', /\[Back in the workspace\./],
        ['cd /', 'sub', 'sub', /ended outside of the workspace\. The next command starts in sub/],
        ['cd / ; exit 3', undefined, '.', /ended outside of the workspace\. The next command starts in the workspace[\s\S]*exit code 3/],
        ['(cd deep); cd deep & wait', 'sub', 'sub', /^\(no output\)$/],
        ['mkdir away && cd away && rmdir ../away', 'sub', '.', /is gone\. The next command starts in the workspace/],
        ['cd deep; exec true', 'sub', 'sub', /not known where its shell ended\. The next command starts in sub/],
        ['cd deep; kill -KILL $$', 'sub', 'sub', /not known where its shell ended/],
        ['trap "echo mine" EXIT; cd deep', 'sub', 'sub', /^mine\n[\s\S]*not known where its shell ended/],
        ['set -euxo pipefail; cd deep', 'sub', 'sub/deep', /^\+ cd deep\n\n\[In sub\/deep\./],
        ['cd deep; if', 'sub', 'sub', /syntax error/],
      ];
      for (const [command, cwd, folder, says] of rows) {
        const result = await bench.run('bash', { command, ...(cwd === undefined ? {} : { cwd }) });
        assert.equal(result.meta?.folder, folder, command);
        assert.match(textOf(result), says);
      }
    });
  });
}

test('G46: what a command writes in place of its shell is a wish like any path', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, 'sub'));
  await symlink(bench.outside, join(bench.root, 'out'));
  // The shell's own answer is taken away; what stands in its file then is the command's.
  const forge = (words: string): string => `f=$(trap -p EXIT | sed -n "s/.*>|\\([^']*\\)' EXIT/\\1/p"); trap - EXIT; ${words}`;
  const rows: [words: string, folder: string][] = [
    [`printf '%s/sub\\n' "$PWD" > "$f"`, 'sub'],
    [`printf '%s/sub' "$PWD" > "$f"`, '.'],
    [`echo /etc > "$f"`, '.'],
    [`echo sub > "$f"`, '.'],
    [`printf '%s/sub/../..\\n' "$PWD" > "$f"`, '.'],
    [`echo "$PWD/out" > "$f"`, '.'],
    [`echo "$PWD/.tendon" > "$f"`, '.'],
    [`printf '%s/sub\\0\\n' "$PWD" > "$f"`, '.'],
    [`printf '%s/\\377\\n' "$PWD" > "$f"`, '.'],
    ['mkfifo "$f"', '.'],
    ['mkdir "$f"', '.'],
    ['ln -s /etc/hostname "$f"', '.'],
    [`head -c 1000000 /dev/zero | tr '\\0' / > "$f"`, '.'],
    ['rm -rf "$(dirname "$f")"', '.'],
  ];
  for (const [words, folder] of rows) {
    const result = await bench.run('bash', { command: `${forge(words)}; test -n "$f"` });
    assert.deepEqual([words, result.status, result.meta?.folder], [words, 'succeeded', folder]);
  }
});

test('G46: commands in the background, stopped ones and those that could not start say nothing of the folder', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, 'sub'));
  const background = await bench.run('bash', { command: 'cd sub; sleep 600', background: true });
  const quick = await bench.run('bash', { command: 'cd sub', background: true });
  const abort = new AbortController();
  const stopped = await bench.run('bash', { command: 'cd sub; echo ready; sleep 600' }, { abort, onOutput: () => abort.abort(cancelled) });
  assert.deepEqual([stopped.status, quick.status], ['cancelled', 'succeeded']);
  for (const result of [background, quick, stopped]) assert.equal(result.meta?.folder, undefined);
});

test('G46: a folder that is no longer there runs nothing in its place', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, 'kept'));
  await rm(join(bench.root, 'kept'), { recursive: true });
  const command = 'touch here';
  const gone = await bench.run('bash', { command, cwd: 'kept' });
  await symlink(bench.outside, join(bench.root, 'kept'));
  const led = await bench.run('bash', { command, cwd: 'kept' });
  await rename(join(bench.root, 'kept'), join(bench.root, 'moved'));
  await bench.run('bash', { command: 'echo > kept' });
  const file = await bench.run('bash', { command, cwd: 'kept' });
  assert.deepEqual([gone.error?.code, led.error?.code, file.error?.code], ['not_found', 'outside_workspace', 'not_a_folder']);
  for (const result of [gone, led, file]) {
    assert.match(textOf(result), /Nothing was run\. The next command starts in the workspace/);
    assert.equal(result.meta?.folder, '.');
  }
  for (const place of [bench.root, bench.outside]) await assert.rejects(access(join(place, 'here')));
});

test('G46: many at once each tell their own place', async () => {
  await using bench = await openBench();
  const names = Array.from({ length: 12 }, (_, index) => `at ${index}`);
  const results = await Promise.all(names.map((name) => bench.run('bash', { command: `mkdir ${quoted(name)}; cd ${quoted(name)}` })));
  assert.deepEqual(
    results.map((result) => result.meta?.folder),
    names,
  );
});

test('G46: a shell leaves nothing behind, and the command sees nothing of how it tells', async () => {
  await using bench = await openBench();
  assert.equal(
    textOf(
      await bench.run('bash', {
        command: 'echo "[$BASH_ENV$TENDON_END_FOLDER]"; bash -c "trap -p"; (trap -p EXIT) | wc -l; env | grep -c -e BASH_ENV -e END_FOLDER',
      }),
    ).split('\n')[0],
    '[]',
  );
  const report = await EndFolderReport.create();
  assert.ok(report);
  assert.deepEqual(await report.read(bench.workspace), { kind: 'unknown' });
  await report.close();
  await report.close();
  assert.deepEqual(await report.read(bench.workspace), { kind: 'unknown' });
  assert.equal(nextPlace('', { kind: 'unknown' }).folder, '.');
});

test('G46, W18: the network of a sandbox changes nothing about it, with a terminal or without', async () => {
  for (const network of [true, false, 'filtered'] as const) {
    await using bench = await openBench({ mode: 'required', network });
    for (const terminal of [false, true]) {
      const result = await bench.run('bash', { command: `mkdir -p sub; cd sub; echo "$BASH_ENV$TENDON_END_FOLDER|"`, terminal });
      assert.deepEqual([result.meta?.folder, /^\|\r?\n/.test(textOf(result))], ['sub', true], `${network} ${terminal}: ${textOf(result)}`);
    }
  }
});

test('G46: a command that holds its report fast keeps its own result', async () => {
  await using bench = await openBench();
  const command = `f=$(trap -p EXIT | sed -nE 's/.*>\\|([^ ]+) *'"'"' EXIT.*/\\1/p' | tr -d "'"); d=$(dirname "$f"); rm -rf "$d"; echo done > "$d"; echo "\${d:+held}"`;
  const result = await bench.run('bash', { command });
  assert.equal(result.status, 'succeeded', textOf(result));
});
