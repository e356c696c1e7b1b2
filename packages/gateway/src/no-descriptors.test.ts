import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ToolResult } from '@tendon/protocol';
import { identify } from '@tendon/system';
import { takeDescriptors } from '@tendon/testing';
import { BrowserProcess } from './browser/browser-process.ts';
import { sandboxState } from './sandbox/sandbox.ts';
import { openBench, type ToolBench } from './tools/tool-bench-rig.ts';

/* A gateway that has no descriptor left: a command or a page has taken them, or everybody comes at once. */

const skip = process.platform !== 'linux' && 'descriptors are taken with prlimit';

let bench: ToolBench;
before(async () => {
  bench = await openBench();
  await writeFile(join(bench.root, 'a.txt'), 'one\n');
});
after(() => bench[Symbol.asyncDispose]());

/** More than any of these opens at once: in between, each place where it opens something is one where none is left. */
const MOST_NEEDED = 14;

for (const [tool, input, mostLeft] of [
  ['grep', { pattern: 'one' }, MOST_NEEDED],
  ['glob', { pattern: '*.txt' }, MOST_NEEDED],
  ['bash', { command: 'echo one' }, MOST_NEEDED],
  ['bash', { command: 'echo one', terminal: true }, MOST_NEEDED],
  ['browser_tabs', { action: 'new' }, 0],
] as const)
  test(`G53: ${tool} ${JSON.stringify(input)} with few free descriptors, or none, fails at most itself`, { skip }, async () => {
    for (let left = 0; left <= mostLeft; left += 1) {
      using descriptors = takeDescriptors();
      descriptors.giveBack(left);
      const result = await bench.run(tool, input).catch((error: unknown) => error);
      if (left === 0) assert.ok(result instanceof Error || (result as ToolResult).status === 'failed', JSON.stringify(result));
    }
    const done = await bench.run(tool, input);
    assert.equal(done.status, 'succeeded', JSON.stringify(done));
  });

test('G53: a browser that cannot be started without a free descriptor says so, and leaves nothing', { skip }, async () => {
  const folder = join(bench.home, 'no browser');
  const start = { program: process.execPath, folder, proxyPort: 1 };
  await mkdir(folder);
  // Its folders are made with those that are left; its five pipes need more.
  using none = takeDescriptors();
  none.giveBack(2);
  await assert.rejects(BrowserProcess.start(start), { code: 'browser_broken', message: /EMFILE/ });
});

test('G53: a browser that is to end while nobody can look ends', { skip }, async () => {
  const session = await bench.browser.open('a session', () => undefined);
  const leader = bench.browser.process;
  assert.ok(leader && session);
  let ended: Promise<void>;
  {
    using _none = takeDescriptors();
    ended = bench.browser.close();
    await new Promise(setImmediate);
  }
  await ended;
  assert.equal(await identify(leader.pid), undefined);
});

test('G53: a machine that could not try its sandbox out tries again', { skip }, async () => {
  {
    using _none = takeDescriptors();
    assert.equal((await sandboxState()).kind, 'none');
  }
  assert.deepEqual(await sandboxState(), { kind: 'bubblewrap' });
});
