import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { findCallProcesses, shellEnvironment } from '@tendon/system';
import { v7 as newId } from 'uuid';
import { cancelled, openBench, type ToolBench, textOf } from './tool-bench-rig.ts';

/** Runs a command that says `ready`, ends it then, and answers with what is left of it. */
async function endWhenReady(bench: ToolBench, command: string, reason: unknown = cancelled) {
  const abort = new AbortController();
  const callId = newId();
  let said = '';
  const onOutput = (text: string): void => {
    said += text;
    if (said.includes('ready')) abort.abort(reason);
  };
  const result = await bench.run('bash', { command }, { abort, callId, onOutput });
  const left = await findCallProcesses({ callId, leader: bench.spawned.at(-1) });
  return { result, left };
}

test('G25: both streams in order, exit code, duration, working folder', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, "it's here"));
  const fine = await bench.run('bash', {
    command: 'for i in 1 2 3; do echo out$i; echo err$i >&2; done; echo x > /dev/stderr; basename "$PWD"',
    cwd: "it's here",
  });
  assert.equal(textOf(fine), "out1\nerr1\nout2\nerr2\nout3\nerr3\nx\nit's here\n");
  assert.deepEqual([fine.status, fine.meta?.exitCode], ['succeeded', 0]);
  assert.ok((fine.meta?.durationMs ?? -1) >= 0);
  const wrong = await bench.run('bash', { command: 'echo no >&2; exit 3' });
  assert.deepEqual([wrong.status, wrong.error?.code, wrong.meta?.exitCode], ['failed', 'exit_code', 3]);
  assert.match(textOf(wrong), /^no\n.*exit code 3/s);
  const killed = await bench.run('bash', { command: 'kill -SEGV $$' });
  assert.deepEqual([killed.status, killed.meta?.signal], ['failed', 'SIGSEGV']);
  assert.equal(textOf(await bench.run('bash', { command: 'true' })), '(no output)');
});

test('G25: odd commands are run as they are, or refused with the reason', async () => {
  await using bench = await openBench();
  assert.equal(textOf(await bench.run('bash', { command: 'printf "%s|" "a b" \'$x\' "\u{1F98A}"\n\necho -n "# done"' })), 'a b|$x|\u{1F98A}|# done');
  assert.equal(textOf(await bench.run('bash', { command: '-n 2>&1; echo hi' })).includes('hi'), true);
  assert.equal(textOf(await bench.run('bash', { command: 'cat; echo end of input' })), 'end of input\n');
  assert.equal((await bench.run('bash', { command: 'if' })).meta?.exitCode, 2);
  assert.equal((await bench.run('bash', { command: '\u{1F98A}'.repeat(40_000) })).error?.code, 'too_large');
  assert.equal((await bench.run('bash', { command: 'echo \0' })).error?.code, 'invalid_input');
  assert.equal((await bench.run('bash', { command: 'ls', cwd: 'missing' })).error?.code, 'not_found');
});

test('G25: output comes live, is whole in the result, and a flood keeps its ends', async () => {
  await using bench = await openBench();
  // Goes on when its first line has come: it came while the command ran.
  const command = 'printf "\\xf0\\x9f"; sleep 0.05; printf "\\xa6\\x8a"; echo; until [ -e heard ]; do sleep 0.05; done; echo second';
  const onOutput = (): void => void (bench.live.join('') === '\u{1F98A}\n' && writeFile(join(bench.root, 'heard'), ''));
  const text = textOf(await bench.run('bash', { command }, { onOutput }));
  assert.equal(text, '\u{1F98A}\nsecond\n');
  assert.equal(bench.live.join(''), text);
  const flood = await bench.run('bash', { command: 'echo first; seq 1 300000; echo last' });
  const note = /\n\[All of the output is kept as p\d+: read_process with a fromByte shows what was left out\.\]$/;
  assert.match(textOf(flood), note);
  const kept = textOf(flood).replace(note, '');
  assert.ok(kept.length < 80_000 && kept.startsWith('first\n1\n2\n') && kept.endsWith('300000\nlast\n'));
  const removed = flood.meta?.truncatedBytes ?? 0;
  assert.ok(kept.includes(`[… ${removed} bytes left out here …]`));
  const whole =
    Buffer.byteLength('first\nlast\n') + Array.from({ length: 300_000 }, (_, index) => String(index + 1).length + 1).reduce((sum, length) => sum + length);
  assert.equal(Buffer.byteLength(kept.replace(/\n\n\[… .* …\]\n\n/, '')) + removed, whole);
});

test('G26: a background child that holds the output open neither keeps the call open nor is ended by it', async () => {
  await using bench = await openBench();
  const callId = newId();
  const result = await bench.run('bash', { command: '(while sleep 0.05; do echo tick; done) & echo started' }, { callId });
  assert.equal(result.status, 'succeeded');
  assert.match(textOf(result), /started/);
  assert.match(textOf(result), /still runs as p\d+, and ends with the gateway/);
  assert.equal(result.meta?.['background'], true);
  assert.ok((await findCallProcesses({ callId, leader: undefined })).length > 0);
  await bench[Symbol.asyncDispose]();
  assert.deepEqual(await findCallProcesses({ callId, leader: undefined }), []);
});

test('G27: the time limit is told with the output so far', async () => {
  await using bench = await openBench();
  const { result, left } = await endWhenReady(bench, 'echo ready; sleep 600', { kind: 'timeout', limitMs: 1_234 });
  assert.deepEqual([result.status, result.error?.code], ['failed', 'timeout']);
  assert.match(textOf(result), /ready[\s\S]*1234 ms/);
  assert.deepEqual(left, []);
});

test('G27: a process gets three seconds to clean up after TERM', async () => {
  await using bench = await openBench();
  const { result } = await endWhenReady(bench, `trap 'echo cleaned > "cleaned up"; exit 0' TERM; echo ready; while :; do sleep 0.05; done`);
  assert.equal(result.status, 'cancelled');
  assert.equal(await readFile(join(bench.root, 'cleaned up'), 'utf8'), 'cleaned\n');
});

test('G28: a command sees what it needs and nothing of the gateway', async () => {
  await using bench = await openBench();
  const kept = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'SSH_AUTH_SOCK', 'XDG_RUNTIME_DIR', 'XDG_SESSION_TYPE', 'NODE_EXTRA_CA_CERTS', 'HTTPS_PROXY'];
  const secrets = [
    ...['TENDON_API_KEY', 'OPENAI_API_KEY', 'GITHUB_PAT', 'GH_PAT', 'GH_TOKEN', 'MY_PASSWORD', 'MYSQL_PWD', 'PGPASSWORD', 'GPG_PASSPHRASE'],
    ...['DATABASE_URL', 'REDIS_URL', 'SENTRY_DSN', 'GOOGLE_CREDS', 'SOME_APIKEY', 'npm_config_token', 'NODE_OPTIONS', 'NODE_AUTH_TOKEN'],
  ];
  const own = Object.fromEntries([...kept, ...secrets, 'TENDON_CALL_ID'].map((name) => [name, 'outer']));
  const environment = shellEnvironment(own, 'the-call');
  assert.deepEqual(
    Object.keys(environment).filter((name) => name in own),
    [...kept, 'TENDON_CALL_ID'],
  );
  assert.equal(environment['TENDON_CALL_ID'], 'the-call');
  process.env['TENDON_TEST_SECRET'] = 'secret';
  const text = textOf(await bench.run('bash', { command: 'env; cat /proc/self/environ | tr "\\0" "\\n"; ls -l /proc/self/fd | wc -l' }));
  delete process.env['TENDON_TEST_SECRET'];
  assert.doesNotMatch(text, /TENDON_TEST_SECRET/);
  // ls sees: the heading, its three streams, the folder itself. Nothing of the gateway is open in it.
  assert.match(text, /\n[56]\n$/);
});

test('G25: a folder for temporary files that is gone is named, and nothing is run', async () => {
  await using bench = await openBench();
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = join(bench.outside, 'gone');
  const result = await bench.run('bash', { command: 'touch effect' }).finally(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
  assert.equal(result.error?.code, 'not_started');
  assert.match(textOf(result), /Nothing was run: no pipe for its output could be made in \S.*gone \(ENOENT\)\. The owner of this machine sees to it/);
  assert.deepEqual(await readdir(bench.root), ['.tendon']);
});

test('G27: a search is ended too', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'file'), 'x\n'.repeat(1_000));
  const abort = new AbortController();
  abort.abort(cancelled);
  assert.equal((await bench.run('grep', { pattern: 'x' }, { abort })).status, 'cancelled');
});
