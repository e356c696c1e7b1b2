import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@tendon/testing';
import { closingLine } from './closing-line.ts';
import { runSuites, sum, type Tally } from './run-tests.ts';

const HEAD = "import { test, describe, after } from 'node:test';\n";

/** Runs one file of this content as a suite. */
async function runContent(content: string, fileTimeoutMs?: number): Promise<Pick<Tally, 'passed' | 'failures'>> {
  const { passed, failures } = await tallyOf(content, fileTimeoutMs);
  return { passed, failures };
}

async function tallyOf(content: string, fileTimeoutMs = 20_000): Promise<Tally> {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'made-up.test.ts');
  writeFileSync(file, HEAD + content);
  const tally = await runSuites([{ name: 'made up', files: [file], testTimeoutMs: 10_000, fileTimeoutMs }], 1);
  return { ...tally, failures: tally.failures.map((failure) => failure.replace(file, 'FILE')) };
}

test('passing tests are counted, groups are not', async () => {
  const content = "describe('a group', () => { test('one', () => {}); test('two', () => {}); });\ntest('three', () => {});";
  assert.deepEqual(await runContent(content), { passed: 3, failures: [] });
});

test('a patient suite leaves the machine to the others', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'made-up.test.ts');
  writeFileSync(file, `${HEAD}import os from 'node:os';\ntest('priority ' + os.getPriority(), () => { throw new Error('told'); });`);
  const { failures } = await runSuites([{ name: 'made up', files: [file], testTimeoutMs: 10_000, fileTimeoutMs: 20_000, isPatient: true }], 1);
  assert.deepEqual(failures, [`${file}: priority 19`]);
});

test('a failing test is named with its group', async () => {
  const content = "describe('a group', () => { test('good', () => {}); test('bad', () => { throw new Error('no'); }); });";
  assert.deepEqual(await runContent(content), { passed: 1, failures: ['FILE: a group > bad'] });
});

test('an exception that belongs to no test any more is a failure, and told', async () => {
  const content =
    "test('fine', () => { setTimeout(() => { throw new Error('too late'); }, 50); });\ntest('next', () => new Promise((done) => setTimeout(done, 200)));";
  const { failures, reasons } = await tallyOf(content);
  assert.deepEqual(failures, ['FILE: an exception after its test']);
  assert.match(String(reasons), /Test "fine".* created the error "Error: too late"/);
});

test('why a test has failed is told again at the end, cut', async (t) => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'made-up.test.ts');
  writeFileSync(file, `${HEAD}test('bad', () => { throw new Error('one\\n' + 'more\\n'.repeat(50)); });`);
  const tally = await runSuites([{ name: 'made up', files: [file], testTimeoutMs: 10_000, fileTimeoutMs: 20_000 }], 1);
  const said: string[] = [];
  t.mock.method(console, 'log', (text: string) => said.push(text));
  assert.equal(closingLine(sum([tally, { passed: 2, failures: [] }])), 1);
  t.mock.restoreAll();
  assert.equal(said.join('\n'), `\n${file}: bad\n    | Error: one${'\n    | more'.repeat(19)}\n\nfailed:\n  ${file}: bad\n\n2 passed, 1 failed`);
});

test('a failing subtest counts once', async () => {
  const content = "test('outer', async (t) => { await t.test('inner', () => { throw new Error('no'); }); });";
  assert.deepEqual(await runContent(content), { passed: 0, failures: ['FILE: outer > inner'] });
});

test('a skipped test is a failure', async () => {
  const content = "test('later', { skip: true }, () => {});\ntest('some day', { todo: true }, () => {});";
  assert.deepEqual((await runContent(content)).failures, ['FILE: later (skipped: every test must run)', 'FILE: some day (skipped: every test must run)']);
});

test('a file that leaves something running fails although its tests passed', async () => {
  const { passed, failures } = await runContent("test('fine', () => { setInterval(() => {}, 1_000); });", 6_000);
  assert.equal(passed, 1);
  assert.match(failures.join(), /did not end within 6000 ms/);
});

test('what a file has left running is asked to end before it is killed, so that it can end what it runs itself', async () => {
  await using folder = await temporaryFolder();
  const said = join(folder.path, 'said');
  const child = `
    process.on('SIGTERM', () => { require('node:fs').writeFileSync(${JSON.stringify(said)}, 'ended in order'); process.exit(); });
    setInterval(() => {}, 1_000);
    process.stdout.write('up');`;
  const content = `
    import { spawn } from 'node:child_process';
    import { once } from 'node:events';
    test('fine', async () => {
      const child = spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: ['ignore', 'pipe', 'ignore'] });
      await once(child.stdout, 'data');
      child.stdout.destroy();
      child.unref();
    });`;
  assert.deepEqual(await runContent(content), { passed: 1, failures: [] });
  assert.equal(readFileSync(said, 'utf8'), 'ended in order');
});

test('a file that breaks while it loads fails', async () => {
  assert.deepEqual((await runContent("throw new Error('broken');")).failures, ['FILE: the process ended with code 1']);
});

test('a file that ends its own process early fails', async () => {
  assert.ok((await runContent("test('never', () => process.exit(0));")).failures.length > 0);
  assert.ok(
    (await runContent("test('fine', () => {});\ntest('never', async () => { await null; process.exit(0); });\ntest('not reached', () => {});")).failures
      .length > 0,
  );
});

test('a file without a test fails', async () => {
  assert.deepEqual(await runContent('after(() => {});'), { passed: 0, failures: ['FILE: it holds no test'] });
});

test('a hook that throws is a failure', async () => {
  assert.ok((await runContent("test('fine', () => {});\nafter(() => { throw new Error('no'); });")).failures.length > 0);
});

test('what a suite needs is seen to once and one after the other, while others run; where it cannot be had, its files are named as not run', async () => {
  await using folder = await temporaryFolder();
  const order: string[] = [];
  const suiteOf = (name: string, missing?: string) => {
    const file = join(folder.path, `${name}.test.ts`);
    writeFileSync(file, `${HEAD}test('it runs', () => {});`);
    const ensure = async () => {
      order.push(`${name} begins`);
      await null;
      order.push(`${name} ends`);
      return missing;
    };
    return { name, files: [file], testTimeoutMs: 10_000, fileTimeoutMs: 20_000, ensure };
  };
  const tally = await runSuites([suiteOf('first'), suiteOf('second', 'no such program. Install it'), suiteOf('third')], 2);
  assert.deepEqual(order, ['first begins', 'first ends', 'second begins', 'second ends', 'third begins', 'third ends']);
  assert.deepEqual(tally, { passed: 2, reasons: [], failures: [`NOT RUN: ${join(folder.path, 'second.test.ts')}: no such program. Install it`] });
});
