import assert from 'node:assert/strict';
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, readSync, writeSync } from 'node:fs';
import { open, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LOCAL_TOOLS } from '@tendon/protocol';
import { findCallProcesses, listProcesses } from '@tendon/system';
import { v7 as newId } from 'uuid';
import { notStarted } from './not-started.ts';
import { NoTerminal, startInTerminal } from './terminal.ts';
import type { HostReport } from './terminal-host.ts';
import { cancelled, openBench, type ToolBench, textOf, untilSaid } from './tool-bench-rig.ts';

async function startTerminal(bench: ToolBench, command: string, callId = newId()): Promise<string> {
  const started = await bench.run('bash', { command, terminal: true, background: true }, { callId });
  assert.match(textOf(started), /write_process types into it/);
  return String(started.meta?.['process']);
}

for (const mode of ['off', 'required'] as const) {
  describe(`G47: a terminal, sandbox ${mode}`, () => {
    test('G47: a command finds a terminal of its size, colours, exit code and signal, and the output is whole', async () => {
      await using bench = await openBench({ mode });
      const looks =
        'for fd in 0 1 2; do test -t $fd && echo tty $fd; done; stty size; echo $TERM; echo to it > /dev/tty; mkdir here; ls --color=auto -d here; exit 3';
      const result = await bench.run('bash', { command: looks, terminal: true });
      const lines = textOf(result).split('\r\n');
      assert.deepEqual(lines.slice(0, 6), ['tty 0', 'tty 1', 'tty 2', '40 120', 'xterm-256color', 'to it']);
      assert.match(lines[6] ?? '', /\u001b\[[\d;]+mhere\u001b\[0m/u);
      assert.deepEqual([result.status, result.meta?.exitCode, result.meta?.sandboxed], ['failed', 3, mode === 'required']);
      assert.equal(
        bench.live.join(''),
        lines
          .slice(0, 7)
          .map((line) => `${line}\r\n`)
          .join(''),
      );
      const flood = textOf(await bench.run('bash', { command: 'echo first; seq 1 100000; echo last', terminal: true }));
      assert.match(flood, /^first\r\n1\r\n[\s\S]*bytes left out here[\s\S]*100000\r\nlast\r\n\n\[All of the output is kept as p\d+/);
      const whole = await bench.run('bash', { command: 'seq 1 2000; printf "\\xf0\\x9f"; sleep 0.05; printf "\\xa6\\x8a"', terminal: true });
      assert.equal(textOf(whole), `${Array.from({ length: 2_000 }, (_, index) => `${index + 1}\r\n`).join('')}\u{1F98A}`);
    });

    test('G47, G46: the folder is kept, a time limit ends it with its output, and nobody else reaches the terminal', async () => {
      await using bench = await openBench({ mode });
      assert.equal((await bench.run('bash', { command: 'mkdir sub; cd sub', terminal: true })).meta?.folder, 'sub');
      const abort = new AbortController();
      const callId = newId();
      const onOutput = (): void => abort.abort({ kind: 'timeout', limitMs: 1_234 });
      const late = await bench.run('bash', { command: 'echo so far; sleep 600', terminal: true }, { abort, callId, onOutput });
      assert.deepEqual([late.status, late.error?.code], ['failed', 'timeout']);
      assert.match(textOf(late), /so far[\s\S]*1234 ms/);
      assert.deepEqual(await findCallProcesses({ callId, leader: bench.spawned.at(-1) }), []);
      await startTerminal(bench, 'sleep 600');
      for (const terminal of [true, false]) {
        const fds = textOf(await bench.run('bash', { command: 'ls -l /proc/self/fd', terminal }, { sessionId: 'another session' }));
        assert.match(fds, /0 -> /);
        assert.doesNotMatch(fds, /ptmx/);
      }
    });

    test('G48: text and keys reach what runs, Ctrl-C too, and another session cannot type', async () => {
      await using bench = await openBench({ mode });
      const id = await startTerminal(bench, 'trap "echo caught" INT; stty -echo; echo up; while read -r line; do echo "<$line>"; done; echo over');
      await untilSaid(bench, id, /up\r\n/);
      assert.match(textOf(await bench.run('list_processes', {})), /\(terminal\) trap/);
      const typed = await bench.run('write_process', { id, text: 'it\'s "odd" $HOME \u{1F98A}\nsecond\n' });
      assert.match(textOf(typed), /^Typed into p\d+\.\n\[p\d+, running/);
      await untilSaid(bench, id, /<it's "odd" \$HOME \u{1F98A}>\r\n<second>\r\n/u);
      await bench.run('write_process', { id, keys: ['ctrl_c'] });
      await untilSaid(bench, id, /caught\r\n/);
      const stranger = await bench.run('write_process', { id, text: 'x\n' }, { sessionId: 'another session' });
      assert.equal(stranger.error?.code, 'not_found');
      await bench.run('write_process', { id, text: 'half', keys: ['ctrl_u', 'enter', 'ctrl_d'] });
      const end = await untilSaid(bench, id, /ended with exit code 0/);
      assert.match(end, /<>\r\nover\r\n/);
      assert.doesNotMatch(end, /<x>|<half>/);
      assert.equal((await bench.run('write_process', { id, text: 'x\n' })).error?.code, 'already_over');
    });

    test('G47: stop and the end of the gateway leave neither a terminal nor its host', async () => {
      await using bench = await openBench({ mode });
      const [stopped, left] = [newId(), newId()];
      const id = await startTerminal(bench, 'trap "" HUP TERM INT; while :; do sleep 0.1; done', stopped);
      assert.match(textOf(await bench.run('stop_process', { id })), /is stopped/);
      assert.deepEqual(await findCallProcesses({ callId: stopped, leader: undefined }), []);
      await startTerminal(bench, 'sleep 600', left);
      await bench[Symbol.asyncDispose]();
      assert.deepEqual(await findCallProcesses({ callId: left, leader: undefined }), []);
    });
  });
}

test('G47: a terminal that closes takes what was left in it along, unless that had let go of it', async () => {
  await using bench = await openBench();
  const callId = newId();
  const result = await bench.run(
    'bash',
    {
      command: 'bash -c \'trap "" HUP; exec <&- >/dev/null 2>&1; touch deaf; sleep 600\' & until [ -e deaf ]; do sleep 0.05; done; sleep 600 & echo left',
      terminal: true,
    },
    { callId },
  );
  assert.match(textOf(result), /left\r\n\n\[A process that it started in the background still runs as p\d+/);
  assert.equal((await bench.run('write_process', { id: String(result.meta?.['process']), text: 'x' })).error?.code, 'no_terminal');
  await bench[Symbol.asyncDispose]();
  assert.deepEqual(await findCallProcesses({ callId, leader: undefined }), []);
});

test('G47: a host that is killed ends its command, and the call is over', async () => {
  await using bench = await openBench();
  const callId = newId();
  let killing: Promise<void> | undefined;
  const killHost = async (): Promise<void> => {
    const [shell] = bench.spawned;
    const host = (await listProcesses()).find((row) => row.pid === shell?.pid)?.parentPid;
    assert.ok(host !== undefined && host !== process.pid && host > 1);
    process.kill(host, 'SIGKILL');
  };
  const onOutput = (): void => {
    killing ??= killHost();
  };
  const result = await bench.run('bash', { command: 'echo up; sleep 600', terminal: true }, { callId, onOutput });
  await killing;
  assert.deepEqual([result.status, result.meta?.signal], ['failed', 'SIGHUP']);
  await bench[Symbol.asyncDispose]();
  assert.deepEqual(await findCallProcesses({ callId, leader: undefined }), []);
});

test('G47: without the library, or without bash, nothing runs and the refusal says what to do', async () => {
  const missing = `import { registerHooks } from 'node:module';
    registerHooks({ resolve: (name, context, next) => { if (name === '@lydell/node-pty') throw new Error('no such package here\\nmore'); return next(name, context); } });`;
  const host = fork(fileURLToPath(new URL('./terminal-host.ts', import.meta.url)), {
    execArgv: ['--import', `data:text/javascript,${encodeURIComponent(missing)}`],
  });
  host.send({ kind: 'start', program: 'bash', args: ['-c', 'true'], folder: '/', environment: {} });
  const [said] = (await once(host, 'message')) as [HostReport];
  assert.deepEqual(said, { kind: 'no_terminal', reason: 'no such package here' });
  await once(host, 'exit');
  const refused = notStarted(new NoTerminal('no such package here'), false);
  assert.equal(refused.error?.code, 'no_terminal');
  assert.match(refused.error?.message ?? '', /no such package here\)\. Run it without one, or its owner can install/);
  await using bench = await openBench();
  // What makes the pipe is still there.
  const { stdout: mkfifo } = await promisify(execFile)('bash', ['-c', 'command -v mkfifo']);
  await symlink(mkfifo.trim(), join(bench.outside, 'mkfifo'));
  const path = process.env['PATH'];
  process.env['PATH'] = bench.outside;
  const noShell = await bench.run('bash', { command: 'true', terminal: true }).finally(() => {
    process.env['PATH'] = path;
  });
  assert.deepEqual([noShell.status, noShell.error?.code], ['failed', 'no_shell']);
});

test('G47, G48: wrong inputs are refused and nothing is typed', async () => {
  const wrongTerminal = ['yes', 1, 0, null, {}, [], 'true', '', 1.5, [true]];
  for (const terminal of wrongTerminal) assert.equal(LOCAL_TOOLS.bash.input.safeParse({ command: 'ls', terminal }).success, false);
  const wrongFolder = ['', 7, null, {}, [], true, 'x'.repeat(4_097), ['a'], 0, Number.NaN];
  for (const cwd of wrongFolder) assert.equal(LOCAL_TOOLS.bash.input.safeParse({ command: 'ls', cwd }).success, false);
  const wrong: object[] = [
    ...[{}, { id: '' }, { id: 7 }, { id: 'p1', text: '' }, { id: 'p1', text: 'x'.repeat(3_001) }, { id: 'p1', text: 7 }, { id: 'p1', keys: [] }],
    ...[
      { id: 'p1', keys: ['ctrl_z'] },
      { id: 'p1', keys: 'enter' },
      { id: 'p1', keys: Array.from({ length: 51 }, () => 'enter') },
    ],
    ...[
      { id: 'p1', text: 'x', waitMs: -1 },
      { id: 'p1', text: 'x', waitMs: 60_001 },
      { id: 'p1', text: 'x', waitMs: 0.5 },
    ],
  ];
  for (const input of wrong) assert.equal(LOCAL_TOOLS.write_process.input.safeParse(input).success, false, JSON.stringify(input));
  await using bench = await openBench();
  const id = await startTerminal(bench, 'stty -echo; echo up; cat -v');
  await untilSaid(bench, id, /up\r\n/);
  const rows: [input: object, code: string][] = [
    [{ id }, 'invalid_input'],
    [{ id, text: '\u0003' }, 'invalid_input'],
    [{ id, text: 'a\u001b[2Jb' }, 'invalid_input'],
    [{ id, text: 'a\rb' }, 'invalid_input'],
    [{ id, text: '\0' }, 'invalid_input'],
    [{ id, text: '\u009b' }, 'invalid_input'],
    [{ id, text: '\u{1F98A}'.repeat(1_200) }, 'too_large'],
    [{ id: 'p99', text: 'x' }, 'not_found'],
  ];
  for (const [input, code] of rows) assert.equal((await bench.run('write_process', input)).error?.code, code, JSON.stringify(input));
  const piped = await bench.run('bash', { command: 'sleep 600', background: true });
  assert.match(textOf(await bench.run('write_process', { id: String(piped.meta?.['process']), text: 'x' })), /does not run in a terminal/);
  await bench.run('write_process', { id, text: 'fine\n' });
  assert.match(await untilSaid(bench, id, /fine/), /\]\nup\r\nfine\r\n\n\[/);
});

test('G14, G48: a cancelled wait says what was typed', async () => {
  await using bench = await openBench();
  const id = await startTerminal(bench, 'stty -echo; echo up; sleep 600');
  await untilSaid(bench, id, /up\r\n/);
  const abort = new AbortController();
  abort.abort(cancelled);
  const result = await bench.run('write_process', { id, text: 'x' }, { abort });
  assert.equal(result.status, 'cancelled');
});

test('G47: the end of a long output is never lost, and what nobody takes waits with the command', async () => {
  await using bench = await openBench();
  for (let round = 0; round < 3; round += 1) {
    const result = await bench.run('bash', { command: 'head -c 4000000 /dev/zero | tr "\\0" a; echo; echo LAST-LINE', terminal: true });
    assert.match(textOf(result), /LAST-LINE/);
  }
});

/** The library closes a terminal 200 ms after the end of its shell, and tells nobody: whoever takes what was said is slower than that. */
const LATE_MS = 300;

test('G47: what was said is not lost when it is taken later than its shell has ended', async () => {
  await using bench = await openBench();
  const path = join(bench.outside, 'output');
  await promisify(execFile)('mkfifo', [path]);
  await using reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  await using writer = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const fill = Buffer.alloc(4_096, '.');
  while (takesMore(writer.fd, fill));
  const work = { shell: { program: 'bash', args: ['-c', '--', 'seq 1 4000'], isSandboxed: false }, folder: bench.root, command: '' };
  const how = { isInBackground: false, hasTerminal: true, signal: new AbortController().signal };
  const { ended } = startInTerminal({ ...work, ...how }, { outputFd: writer.fd, environment: { PATH: process.env['PATH'] ?? '' } });
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  let said = '';
  const take = (): boolean => {
    const piece = pieceOf(reader.fd);
    said += piece;
    return piece !== '';
  };
  // A piece at a time.
  for (let pieces = 0; pieces < 10; pieces += 1) {
    take();
    await delay(LATE_MS);
  }
  while (take() || !isOver) await new Promise(setImmediate);
  assert.equal(said.replace(/^\.+/, ''), Array.from({ length: 4_000 }, (_, index) => `${index + 1}\r\n`).join(''));
});

/** Whether a pipe that nobody waits at has taken this. */
function takesMore(fd: number, data: Buffer): boolean {
  try {
    return writeSync(fd, data) > 0;
  } catch {
    return false;
  }
}

/** What is there, and at most a page. */
function pieceOf(fd: number): string {
  const piece = Buffer.alloc(4_096);
  try {
    return piece.toString('latin1', 0, readSync(fd, piece));
  } catch {
    return '';
  }
}

test('G47, G14: a terminal whose host hangs before its first word is ended, by its time or by a stop', async (t) => {
  await using bench = await openBench();
  const hostModule = join(bench.outside, 'hanging-host.mjs');
  await writeFile(hostModule, "process.on('message', () => undefined); setInterval(() => undefined, 1_000);");
  await using nowhere = await open('/dev/null', 'w');
  const start = (signal: AbortSignal) =>
    startInTerminal(
      {
        shell: { program: 'bash', args: ['-c', '--', 'true'], isSandboxed: false },
        folder: bench.root,
        command: 'true',
        isInBackground: false,
        hasTerminal: true,
        signal,
      },
      { outputFd: nowhere.fd, environment: {}, hostModule },
    );
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const late = start(new AbortController().signal);
  t.mock.timers.tick(10_000);
  assert.equal(await late.leader, undefined);
  const end = await late.ended;
  assert.ok(end instanceof Error);
  assert.match(textOf(notStarted(end, false)), /could not be started \(its terminal said nothing for 10 s\)\. Try again/);
  const abort = new AbortController();
  const stopped = start(abort.signal);
  abort.abort(cancelled);
  assert.equal(await stopped.leader, undefined);
  assert.ok((await stopped.ended) instanceof Error);
});
