import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { calls, ledgerLines, processRig, runs, SessionView, says } from '@tendon/testing';

const CLIENT = join(import.meta.dirname, '../../examples/plain-client.ts');

const rig = await processRig();
after(() => rig[Symbol.asyncDispose]());
const product = await rig.start('start');

/** Runs the example as a person would; rejects when it does not end with 0. */
async function plainClient(...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, TENDON_URL: rig.url, TENDON_API_KEY: rig.key };
  const { stdout } = await promisify(execFile)(process.execPath, [CLIENT, ...args], { env, timeout: 30_000 });
  return stdout;
}

test('P12: a script that knows only the protocol asks, approves, sees it run and reads the answer, and goes on later', async () => {
  rig.model.script([...says('I will '), ...says('look.'), runs('echo ran >> plain.txt; echo from the machine')], says('There it is.'), says('Still here.'));
  const output = await plainClient('--approve', 'look around');
  // Live output passes the database by: it may be here before the event that says that it runs.
  assert.match(output, /I will look\..*wants to run.*\[bash\] running.*\[bash\] succeeded.*There it is\./s);
  assert.match(output, /wants to run.*from the machine.*\[bash\] succeeded/s);
  assert.equal(ledgerLines(join(rig.workspace, 'plain.txt')), 1);
  const sessionId = /\[session ([0-9a-f-]+)\]/.exec(output)?.[1] ?? '';

  const later = await plainClient('--session', sessionId, 'are you there?');
  assert.match(later, /Still here\./);
  assert.doesNotMatch(later, /There it is/, 'what it has not asked for now is not told again');
  const session = await SessionView.attach(await rig.connect(), sessionId, 0);
  assert.equal(session.messages.length, 5);
  session.assertGapFree();
});

test('P12: a failing model ends the script with its words and without a zero', async () => {
  rig.model.script({ status: 401, message: 'bad key' });
  await assert.rejects(
    plainClient('fail, please'),
    (error: Error & { code?: number; stdout?: string }) => error.code === 1 && /model_unauthorized/.test(error.stdout ?? ''),
  );
});

test('O10: the whole product ends in order, its machine too', async () => {
  const session = await SessionView.create(await rig.connect());
  rig.model.script([calls({ name: 'glob', input: { pattern: '*' } })], says('a file'));
  await session.say('which files?');
  await session.untilStatus('idle');
  assert.equal(session.calls[0]?.state, 'succeeded');
  const { code } = await product.end('SIGTERM');
  assert.equal(code, 0, product.output());
  assert.doesNotMatch(product.output(), /"level":"(error|fatal)"/);
});
