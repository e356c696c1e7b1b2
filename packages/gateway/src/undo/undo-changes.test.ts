import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import type { ToolResult } from '@tendon/protocol';
import { v7 as newId } from 'uuid';
import { buildRegistry } from '../tools/registry.ts';
import { openBench, type ToolBench, textOf } from '../tools/tool-bench-rig.ts';

const SESSION = newId();
const patchOf = (...lines: string[]): string => ['*** Begin Patch', ...lines, '*** End Patch'].join('\n');

/** Runs a call that has to succeed, and answers with its id. What `write_file` replaces is read before. */
async function call(bench: ToolBench, tool: string, input: { path?: string; [name: string]: unknown }): Promise<string> {
  const callId = newId();
  if (tool === 'write_file') await bench.run('read_file', { path: input.path }, { sessionId: SESSION });
  const result = await bench.run(tool, input, { callId, sessionId: SESSION });
  assert.equal(result.status, 'succeeded', textOf(result));
  return callId;
}

function undo(bench: ToolBench, calls: readonly string[], files: readonly string[]): Promise<ToolResult> {
  return bench.run('undo_changes', { calls, files, others: [] }, { sessionId: SESSION });
}

function outcomes(result: ToolResult): Record<string, string> {
  return Object.fromEntries((result.meta?.undone ?? []).map((file) => [file.path, file.outcome]));
}

test('G50: what a turn changed, made, moved and deleted is put back, with content, place and permissions', async () => {
  await using bench = await openBench();
  const at = (path: string): string => join(bench.root, path);
  await writeFile(at('edited.txt'), 'one\r\ntwo');
  await writeFile(at('replaced.sh'), 'old\n');
  await chmod(at('replaced.sh'), 0o750);
  await writeFile(at('binary'), Buffer.from([0, 255, 7]));
  await writeFile(at('gone'), 'gone\n');
  await chmod(at('gone'), 0o640);
  await writeFile(at('from'), 'moved\n');
  const calls = [
    await call(bench, 'edit_file', { path: 'edited.txt', oldText: 'one', newText: '1' }),
    await call(bench, 'multi_edit', { path: './edited.txt', edits: [{ oldText: 'two', newText: '2' }] }),
    await call(bench, 'write_file', { path: 'replaced.sh', content: 'new\n' }),
    await call(bench, 'write_file', { path: 'binary', content: 'text now' }),
    await call(bench, 'write_file', { path: 'made/deep', content: 'made' }),
    await call(bench, 'apply_patch', { patch: patchOf('*** Delete File: gone', '*** Update File: from', '*** Move to: to', '@@', '-moved', '+MOVED') }),
  ];
  const files = ['edited.txt', 'replaced.sh', 'binary', 'made/deep', 'gone', 'from', 'to'];
  const result = await undo(bench, calls, files);
  assert.equal(result.status, 'succeeded', textOf(result));
  assert.deepEqual(outcomes(result), {
    'edited.txt': 'restored',
    'replaced.sh': 'restored',
    binary: 'restored',
    'made/deep': 'removed',
    gone: 'restored',
    from: 'restored',
    to: 'removed',
  });
  assert.equal(await readFile(at('edited.txt'), 'utf8'), 'one\r\ntwo');
  assert.equal(await readFile(at('replaced.sh'), 'utf8'), 'old\n');
  assert.equal((await stat(at('replaced.sh'))).mode & 0o777, 0o750);
  assert.deepEqual([...(await readFile(at('binary')))], [0, 255, 7]);
  assert.equal((await stat(at('gone'))).mode & 0o777, 0o640);
  assert.equal(await readFile(at('from'), 'utf8'), 'moved\n');
  assert.deepEqual((await readdir(bench.root)).sort(), ['.tendon', 'binary', 'edited.txt', 'from', 'gone', 'replaced.sh']);

  const again = await undo(bench, calls, files);
  assert.equal(again.status, 'succeeded');
  assert.deepEqual(new Set(Object.values(outcomes(again))), new Set(['unchanged']));
});

test('G50: a file that was changed since, before, or in between by another hand is left alone', async () => {
  await using bench = await openBench();
  const at = (path: string): string => join(bench.root, path);
  for (const name of ['since', 'between', 'fine']) await writeFile(at(name), 'a\n');
  const calls = [
    await call(bench, 'write_file', { path: 'since', content: 'b\n' }),
    await call(bench, 'write_file', { path: 'fine', content: 'b\n' }),
    await call(bench, 'write_file', { path: 'made', content: 'b\n' }),
    await call(bench, 'write_file', { path: 'deleted', content: 'b\n' }),
    await call(bench, 'write_file', { path: 'linked', content: 'b\n' }),
    await call(bench, 'edit_file', { path: 'between', oldText: 'a', newText: 'b' }),
  ];
  await writeFile(at('between'), 'b\nby hand\n');
  calls.push(await call(bench, 'edit_file', { path: 'between', oldText: 'b\n', newText: 'c\n' }));
  await writeFile(at('since'), 'by hand\n');
  await writeFile(at('made'), 'b\nand by hand\n');
  await rm(at('deleted'));
  await rm(at('linked'));
  await symlink('fine', at('linked'));
  const result = await undo(bench, calls, ['since', 'fine', 'made', 'deleted', 'linked', 'between']);
  assert.deepEqual(outcomes(result), { since: 'left', fine: 'restored', made: 'left', deleted: 'unchanged', linked: 'left', between: 'left' });
  assert.match(textOf(result), /Left alone: .*"since" \(it was changed since, by whom is not known\)/);
  assert.equal(await readFile(at('since'), 'utf8'), 'by hand\n');
  assert.equal(await readFile(at('made'), 'utf8'), 'b\nand by hand\n');
  assert.equal(await readFile(at('between'), 'utf8'), 'c\nby hand\n');
});

test('G50: folders that the calls made go with their files when nothing else is in them, and no other folder does', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, 'empty'));
  await mkdir(join(bench.root, 'real'));
  await symlink('real', join(bench.root, 'link'));
  const calls = [
    await call(bench, 'write_file', { path: 'empty/a', content: 'a' }),
    await call(bench, 'write_file', { path: 'x/y/z/a', content: 'a' }),
    await call(bench, 'write_file', { path: 'x/y/b', content: 'b' }),
    await call(bench, 'write_file', { path: 'theirs/deep/a', content: 'a' }),
    await call(bench, 'write_file', { path: 'link/new/a', content: 'a' }),
    await call(bench, 'apply_patch', { patch: patchOf('*** Add File: p/one', '+1', '*** Add File: p/q/two', '+2') }),
  ];
  await writeFile(join(bench.root, 'theirs/by hand'), 'theirs');
  const folders = async (): Promise<string[]> =>
    (await readdir(bench.root, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isDirectory() && entry.name !== '.tendon')
      .map((entry) => relative(bench.root, join(entry.parentPath, entry.name)))
      .sort();
  await undo(bench, calls, ['x/y/z/a']);
  assert.deepEqual(await folders(), ['empty', 'p', 'p/q', 'real', 'real/new', 'theirs', 'theirs/deep', 'x', 'x/y']);
  const files = ['empty/a', 'x/y/z/a', 'x/y/b', 'theirs/deep/a', 'link/new/a', 'p/one', 'p/q/two'];
  const result = await undo(bench, calls, files);
  assert.ok(
    result.meta?.undone?.every(({ outcome }) => outcome === 'removed' || outcome === 'unchanged'),
    textOf(result),
  );
  assert.deepEqual(await folders(), ['empty', 'real', 'theirs']);
});

test('G50: of a move, the new place goes only when the old one is back', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'from'), 'precious\n');
  const moved = await call(bench, 'apply_patch', { patch: patchOf('*** Update File: from', '*** Move to: to') });
  await writeFile(join(bench.root, 'from'), 'somebody took the name\n');
  const result = await undo(bench, [moved], ['from', 'to']);
  assert.deepEqual(outcomes(result), { from: 'left', to: 'left' });
  assert.equal(result.status, 'failed');
  assert.equal(await readFile(join(bench.root, 'to'), 'utf8'), 'precious\n');
  assert.deepEqual(outcomes(await undo(bench, [moved], ['to'])), { to: 'left' });
  assert.equal(await readFile(join(bench.root, 'to'), 'utf8'), 'precious\n');
});

test('G50: a server gets nothing by it but what was there before, of that session, in those files', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'a'), 'former\n');
  await writeFile(join(bench.root, 'b'), 'former\n');
  await writeFile(join(bench.outside, 'secret'), 'SECRET');
  const mine = await call(bench, 'write_file', { path: 'a', content: 'mine\n' });
  const other = newId();
  const patch = patchOf('*** Update File: b', '@@', '-former', '+theirs');
  assert.equal((await bench.run('apply_patch', { patch }, { callId: other, sessionId: newId() })).status, 'succeeded');
  for (const [calls, files] of [
    [[other], ['b']],
    [[mine], ['b']],
    [[mine], ['../outside/secret', '/etc/passwd', '.tendon/gateway-policy.json', 'nul\0']],
    [[newId()], ['a']],
  ] as const) {
    const result = await undo(bench, calls, files);
    assert.equal(result.error?.code, 'nothing_undone');
    assert.deepEqual(new Set(Object.values(outcomes(result))), new Set(['impossible']));
  }
  assert.equal(await readFile(join(bench.root, 'a'), 'utf8'), 'mine\n');
  assert.equal(await readFile(join(bench.root, 'b'), 'utf8'), 'theirs\n');
  const registry = buildRegistry();
  assert.ok(!registry.announced.some(({ name }) => name === 'undo_changes'));
  const prepared = registry.prepare('undo_changes', { calls: [mine], files: ['a', 'x/../b'], others: [] });
  assert.ok(prepared.ok);
  assert.equal(prepared.call.refusalOf?.({ by: 'policy', at: '2026-11-22T10:00:00Z' })?.code, 'approval_needed');
  const { written, readings } = prepared.call.subject(bench.workspace);
  assert.deepEqual(new Set([written, ...readings]), new Set(['a', 'x/../b', 'b']));
  assert.ok(!registry.prepare('undo_changes', { calls: ['../../x'], files: ['a'], others: [] }).ok);
});

test('G50: folders exchanged for links lead nowhere, and what else the turn did is named', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, 'folder'));
  await writeFile(join(bench.root, 'folder', 'a'), 'former\n');
  await writeFile(join(bench.outside, 'a'), 'mine\n');
  const mine = await call(bench, 'write_file', { path: 'folder/a', content: 'mine\n' });
  await rm(join(bench.root, 'folder'), { recursive: true });
  await symlink(bench.outside, join(bench.root, 'folder'));
  const others = [{ tool: 'bash', what: 'npm install' }];
  const result = await bench.run('undo_changes', { calls: [mine], files: ['folder/a'], others }, { sessionId: SESSION });
  assert.deepEqual(outcomes(result), { 'folder/a': 'left' });
  assert.match(textOf(result), /Not undone, because only file changes can be: bash "npm install"\./);
  assert.equal(await readFile(join(bench.outside, 'a'), 'utf8'), 'mine\n');
});

test('G50: a file changed through a link is put back where it truly is', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, 'real'));
  await writeFile(join(bench.root, 'real', 'a'), 'former\n');
  await symlink('real/a', join(bench.root, 'link'));
  await symlink('real', join(bench.root, 'folder'));
  const calls = [
    await call(bench, 'edit_file', { path: 'link', oldText: 'former', newText: 'changed' }),
    await call(bench, 'edit_file', { path: 'real/a', oldText: 'changed', newText: 'changed twice' }),
    await call(bench, 'write_file', { path: 'folder/new', content: 'new' }),
  ];
  const result = await undo(bench, calls, ['link', 'real/a', 'folder/new']);
  assert.deepEqual(outcomes(result), { link: 'restored', 'real/a': 'restored', 'folder/new': 'removed' });
  assert.equal(await readFile(join(bench.root, 'real', 'a'), 'utf8'), 'former\n');
  assert.deepEqual(await readdir(join(bench.root, 'real')), ['a']);
});

test('G50: calls are gone back over in their order, also when the clock was set back between them', async (context) => {
  await using bench = await openBench();
  const path = join(bench.root, 'f');
  await writeFile(path, 'first');
  const calls: string[] = [];
  for (const [now, content] of [
    [2_000_000, 'second'],
    [1_000_000, 'third'],
    [1_000_000, 'fourth'],
  ] as const) {
    context.mock.timers.enable({ apis: ['Date'], now });
    calls.push(await call(bench, 'write_file', { path: 'f', content }));
    context.mock.timers.reset();
  }
  assert.deepEqual(outcomes(await undo(bench, calls.toReversed(), ['f'])), { f: 'restored' });
  assert.equal(await readFile(path, 'utf8'), 'first');
});

test('G50: what was rolled back, or never came to pass, is nothing to undo', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'a'), 'former\n');
  await writeFile(join(bench.root, 'file'), 'x\n');
  const first = await call(bench, 'write_file', { path: 'a', content: 'mine\n' });
  const failed = newId();
  const patch = patchOf('*** Update File: a', '@@', '-mine', '+twice', '*** Add File: file/below', '+x');
  assert.equal((await bench.run('apply_patch', { patch }, { callId: failed, sessionId: SESSION })).status, 'failed');
  const result = await undo(bench, [first, failed], ['a', 'file/below']);
  assert.deepEqual(outcomes(result), { a: 'restored', 'file/below': 'unchanged' });
  assert.equal(await readFile(join(bench.root, 'a'), 'utf8'), 'former\n');
});

test('G50: a file that was made by way of a linked folder goes again, whatever came after', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, 'real'));
  await symlink('real', join(bench.root, 'link'));
  const made = [
    await call(bench, 'write_file', { path: 'link/new', content: 'one' }),
    await call(bench, 'edit_file', { path: 'link/new', oldText: 'one', newText: 'two' }),
    await call(bench, 'edit_file', { path: 'real/new', oldText: 'two', newText: 'three' }),
  ];
  assert.deepEqual(outcomes(await undo(bench, made, ['link/new', 'real/new'])), { 'link/new': 'removed', 'real/new': 'removed' });
  await writeFile(join(bench.root, 'real/q'), 'q\n');
  const moved = [
    await call(bench, 'apply_patch', { patch: patchOf('*** Update File: link/q', '*** Move to: link/r', '@@', '-q', '+Q') }),
    await call(bench, 'apply_patch', { patch: patchOf('*** Update File: link/r', '@@', '-Q', '+R') }),
  ];
  await undo(bench, moved, ['link/q', 'link/r']);
  assert.deepEqual(await readdir(join(bench.root, 'real')), ['q']);
  assert.equal(await readFile(join(bench.root, 'real/q'), 'utf8'), 'q\n');
});

test('G50, G35: a rule of the machine is about each file that would be put back, however it is written', async () => {
  await using bench = await openBench();
  const prepared = buildRegistry().prepare('undo_changes', { calls: [newId()], files: ['w\n/../.env'], others: [] });
  assert.ok(prepared.ok && prepared.call.subject(bench.workspace).readings.includes('.env'));
});
