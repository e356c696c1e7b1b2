import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { link, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ToolFault } from './faults.ts';
import { openBench, textOf } from './tool-bench-rig.ts';
import { openForReading, openWorkspace } from './workspace.ts';

test('G20: no path leads out, for reading or for writing, and the refusal names it', async () => {
  await using bench = await openBench();
  const { root, outside } = bench;
  await writeFile(join(outside, 'canary'), 'CANARY');
  await mkdir(join(root, 'sub'));
  await mkdir(`${root}-evil`);
  await writeFile(join(`${root}-evil`, 'canary'), 'CANARY');
  await symlink(outside, join(root, 'folder link'));
  await symlink(join(outside, 'canary'), join(root, 'file link'));
  await symlink('../../outside', join(root, 'sub', 'relative link'));
  await symlink('/proc/self/root', join(root, 'proc link'));
  const paths = [
    '../outside/canary',
    'sub/../../outside/canary',
    './../outside/canary',
    join(outside, 'canary'),
    '/etc/passwd',
    '//etc/passwd',
    `${root}/../outside/canary`,
    `${root}-evil/canary`,
    'folder link/canary',
    'file link',
    'sub/relative link/canary',
    'proc link/etc/passwd',
    'sub/../folder link/canary',
    '..',
    `${'../'.repeat(40)}etc/passwd`,
  ];
  for (const path of paths) {
    for (const [tool, input] of [
      ['read_file', { path }],
      ['write_file', { path, content: 'OWNED' }],
      ['edit_file', { path, oldText: 'CANARY', newText: 'OWNED' }],
      ['multi_edit', { path, edits: [{ oldText: 'CANARY', newText: 'OWNED' }] }],
      ['apply_patch', { patch: `*** Begin Patch\n*** Update File: ${path}\n@@\n-CANARY\n+OWNED\n*** End Patch` }],
      ['apply_patch', { patch: `*** Begin Patch\n*** Delete File: ${path}\n*** End Patch` }],
      ['grep', { path, pattern: '.' }],
    ] as const) {
      const result = await bench.run(tool, input);
      assert.equal(result.status, 'failed', `${tool} ${path}`);
      assert.doesNotMatch(textOf(result), /CANARY/);
      assert.ok(['outside_workspace', 'not_found', 'is_folder'].includes(result.error?.code ?? ''), `${tool} ${path}: ${result.error?.code}`);
    }
  }
  const refusal = await bench.run('read_file', { path: 'file link' });
  assert.equal(refusal.error?.code, 'outside_workspace');
  assert.ok(textOf(refusal).includes('"file link"') && textOf(refusal).includes(JSON.stringify(root)));
  for (const folder of ['folder link', '..', outside]) {
    for (const [tool, input] of [
      ['list_folder', { path: folder }],
      ['glob', { pattern: 'CANARY', path: folder }],
      ['grep', { pattern: 'CANARY', path: folder }],
      ['bash', { command: 'cat canary', cwd: folder }],
    ] as const) {
      const result = await bench.run(tool, input);
      assert.equal(result.error?.code, 'outside_workspace', `${tool} in ${folder}`);
    }
  }
  assert.equal(await readFile(join(outside, 'canary'), 'utf8'), 'CANARY');
  assert.deepEqual(await readdir(outside), ['canary']);
});

test('G20: paths that stay inside work: detours, absolute ones, links, any name', async () => {
  await using bench = await openBench();
  const { root } = bench;
  const names = ['plain', 'with space', "it's", 'say "hi"', 'new\nline', '\u{1F98A} fox', '-rf', 'ü/ö/ä', '..dots', '...', '$(touch x)', 'a\\b'];
  for (const path of names) {
    assert.equal((await bench.run('write_file', { path, content: `content of ${path}` })).status, 'succeeded', path);
    assert.ok(textOf(await bench.run('read_file', { path: join(root, path) })).includes('content of'), path);
    assert.equal(await readFile(join(root, path), 'utf8'), `content of ${path}`);
  }
  await symlink('plain', join(root, 'inner link'));
  await symlink('ü', join(root, 'folder link'));
  assert.match(textOf(await bench.run('read_file', { path: 'ü/../inner link' })), /content of plain/);
  assert.match(textOf(await bench.run('read_file', { path: 'folder link/ö/ä' })), /content of/);
  assert.equal((await bench.run('write_file', { path: 'inner link', content: 'through the link' })).status, 'succeeded');
  assert.equal(await readFile(join(root, 'plain'), 'utf8'), 'through the link');
});

test('G20: the gateway’s own folder is closed to every tool, even inside the workspace and through a link', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.home, 'gateway-policy.json'), '{"version":1,"rules":[]}');
  await symlink('.tendon', join(bench.root, 'alias'));
  for (const path of ['.tendon/gateway-policy.json', 'alias/gateway-policy.json', join(bench.home, 'gateway-policy.json'), '.tendon/new']) {
    assert.equal((await bench.run('write_file', { path, content: 'x' })).error?.code, 'forbidden_path', path);
    if (!path.endsWith('new')) assert.equal((await bench.run('read_file', { path })).error?.code, 'forbidden_path', path);
  }
  assert.doesNotMatch(textOf(await bench.run('glob', { pattern: '**/*policy*' })), /gateway-policy\.json$/m);
  assert.match(textOf(await bench.run('grep', { pattern: 'version' })), /Nothing matches/);
  assert.deepEqual(await readdir(bench.home), ['gateway-policy.json']);
});

test('G21: folders, pipes and devices are refused by name and never block', async () => {
  await using bench = await openBench();
  execFileSync('mkfifo', [join(bench.root, 'pipe')]);
  await symlink('/dev/zero', join(bench.root, 'zero'));
  await mkdir(join(bench.root, 'folder'));
  for (const [path, code] of [
    ['pipe', 'not_a_file'],
    ['zero', 'outside_workspace'],
    ['folder', 'is_folder'],
    ['.', 'is_folder'],
  ] as const) {
    assert.equal((await bench.run('read_file', { path })).error?.code, code, path);
    assert.equal((await bench.run('write_file', { path, content: 'x' })).error?.code, code, path);
    assert.ok(textOf(await bench.run('read_file', { path })).includes(JSON.stringify(path)));
  }
});

test('G20: without /proc the same paths are refused', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.outside, 'canary'), 'CANARY');
  await writeFile(join(bench.root, 'fine'), 'fine');
  await symlink(join(bench.outside, 'canary'), join(bench.root, 'file link'));
  const plain = { ...bench.workspace, hasProc: false };
  const place = await openForReading(plain, 'fine');
  assert.equal(await place.handle.readFile('utf8'), 'fine');
  await place.handle.close();
  for (const path of ['file link', '../outside/canary', '/etc/passwd']) {
    await assert.rejects(openForReading(plain, path), (error: unknown) => error instanceof ToolFault && error.code === 'outside_workspace', path);
  }
  execFileSync('mkfifo', [join(bench.root, 'pipe')]);
  await assert.rejects(openForReading(plain, 'pipe'), (error: unknown) => error instanceof ToolFault && error.code === 'not_a_file');
});

test('G20: a hard link is broken by a write, not written through', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.outside, 'file'), 'CANARY');
  await link(join(bench.outside, 'file'), join(bench.root, 'hard'));
  await bench.run('read_file', { path: 'hard' });
  await bench.run('write_file', { path: 'hard', content: 'mine' });
  assert.equal(await readFile(join(bench.root, 'hard'), 'utf8'), 'mine');
  assert.equal(await readFile(join(bench.outside, 'file'), 'utf8'), 'CANARY');
});

test('G20: a workspace that goes away while the gateway runs is named by every tool, and nothing is done in its place', async () => {
  await using bench = await openBench();
  const { root, outside } = bench;
  const calls: [string, object][] = [
    ...[{ path: 'a' }, { path: 'deep/a' }].map((input): [string, object] => ['read_file', input]),
    ['write_file', { path: 'deep/a', content: 'x' }],
    ['edit_file', { path: 'a', oldText: 'a', newText: 'b' }],
    ['apply_patch', { patch: '*** Begin Patch\n*** Add File: a\n+x\n*** End Patch' }],
    ['glob', { pattern: '*' }],
    ['grep', { pattern: 'x' }],
    ['list_folder', {}],
    ['bash', { command: 'echo x > a' }],
  ];
  const states: [string, () => Promise<unknown>][] = [
    ['removed', async () => undefined],
    ['a file', () => writeFile(root, '')],
    ['a link', () => symlink(outside, root)],
  ];
  for (const [name, make] of states) {
    await rm(root, { recursive: true });
    await make();
    for (const [tool, input] of calls) {
      const result = await bench.run(tool, input);
      assert.equal(result.error?.code, 'workspace_missing', `${name}, ${tool}`);
      assert.ok(textOf(result).includes(`The workspace ${JSON.stringify(root)} is not there any more`), textOf(result));
    }
    if (name === 'removed') await mkdir(root);
  }
  assert.deepEqual(await readdir(outside), []);
  await rm(root);
  await mkdir(root);
  assert.equal((await bench.run('write_file', { path: 'deep/a', content: 'x' })).status, 'succeeded');
});

test('G32: a workspace that is missing, a file, or the gateway’s own folder is refused in one line', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'file'), '');
  for (const folder of [join(bench.root, 'missing'), join(bench.root, 'file'), bench.home]) {
    await assert.rejects(
      openWorkspace(folder, bench.home),
      (error: unknown) => error instanceof ToolFault && error.message.includes(folder.slice(-6)) && !error.message.includes('\n'),
    );
  }
  await rm(join(bench.root, 'file'));
});
