import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { LOCAL_TOOLS, type ToolResult } from '@tendon/protocol';
import { diskFiles, findCallProcesses, ProcessBook, type SharedFiles } from '@tendon/system';
import { createGate, heldPauses } from '@tendon/testing';
import { v7 as newId } from 'uuid';
import { decidePolicy } from '../policy/policy.ts';
import { shellCommands } from '../policy/shell-commands.ts';
import { OutputSpool, openSpoolFolder } from './output-spool.ts';
import { cancelled, openBench, type ToolBench, textOf } from './tool-bench-rig.ts';

const folder = await mkdtemp(join(tmpdir(), 'tendon spool '));
after(() => rm(folder, { recursive: true, force: true }));

/** Starts one in the background whose first second is over when it has said this, however busy the machine is. */
async function startedSaying(bench: ToolBench, said: string, command: string): Promise<ToolResult> {
  using pauses = heldPauses((ms) => ms === 1_000);
  const hasSaid = Promise.withResolvers<void>();
  const started = bench.run('bash', { command, background: true }, { onOutput: () => bench.live.join('').endsWith(said) && hasSaid.resolve() });
  await hasSaid.promise;
  await pauses.pass();
  return started;
}

/** The id by which a result names what goes on. */
function idIn(text: string): string {
  const id = /\bp\d+\b/.exec(text)?.[0];
  assert.ok(id, text);
  return id;
}

test('G43: a command in the background answers after a second with its output so far, and is read, waited for and listed', async () => {
  await using bench = await openBench();
  const started = await startedSaying(bench, 'up\n', 'echo up; while [ ! -e go ]; do sleep 0.05; done; echo gone; exit 3');
  assert.equal(started.status, 'succeeded');
  assert.match(textOf(started), /runs in the background as p\d+[\s\S]*Its output so far:\nup\n/);
  const id = idIn(textOf(started));
  assert.equal(started.meta?.['process'], id);
  assert.match(textOf(await bench.run('read_process', { id })), /^\[p\d+, running for \d+ s; bytes 0 to 3 of 3\]\nup\n\n\[What comes next: fromByte 3\.\]$/);
  assert.match(textOf(await bench.run('list_processes', {})), new RegExp(`^${id}  running for \\d+ s  3 bytes of output  echo up; while`));
  const waiting = bench.run('read_process', { id, fromByte: 3, waitMs: 20_000 });
  await bench.run('bash', { command: 'touch go' });
  assert.match(textOf(await waiting), /bytes 3 to 8 of 8\]\ngone\n/);
  const over = await bench.run('read_process', { id, fromByte: 8, waitMs: 20_000 });
  assert.match(textOf(over), /^\[p\d+, ended with exit code 3 after \d+ s; bytes 8 to 8 of 8\]\n\(nothing\)$/);
});

test('G43: one that ends within its first second is answered as any other', async () => {
  await using bench = await openBench();
  using _ = heldPauses((ms) => ms === 1_000);
  const wrong = await bench.run('bash', { command: 'echo oops; exit 2', background: true });
  assert.deepEqual([wrong.status, wrong.meta?.exitCode, textOf(wrong)], ['failed', 2, 'oops\n\n[The command ended with exit code 2.]']);
  const fine = await bench.run('bash', { command: 'echo fine', background: true });
  assert.deepEqual([fine.status, textOf(fine)], ['succeeded', 'fine\n']);
  assert.match(textOf(await bench.run('list_processes', {})), /^Nothing of this session/);
});

test('G43: a stop ends all of it, another session sees none of it, and the gateway leaves nothing', async () => {
  await using bench = await openBench();
  const callId = '0199c0de-0000-7000-8000-0000000000aa';
  const command = "trap '' TERM; (sleep 600 &) ; echo up; while :; do sleep 0.1; done";
  const id = idIn(textOf(await bench.run('bash', { command, background: true }, { callId })));
  for (const tool of ['read_process', 'stop_process']) {
    const other = await bench.run(tool, { id }, { sessionId: 'another session' });
    assert.deepEqual([other.status, other.error?.code], ['failed', 'not_found']);
  }
  assert.match(textOf(await bench.run('list_processes', {}, { sessionId: 'another session' })), /^Nothing/);
  assert.equal(textOf(await bench.run('stop_process', { id })), `${id} is stopped, with everything it had started.`);
  assert.deepEqual(await findCallProcesses({ callId, leader: undefined }), []);
  assert.match(textOf(await bench.run('stop_process', { id })), /had ended already: ended/);
  const left = '0199c0de-0000-7000-8000-0000000000ab';
  await bench.run('bash', { command: 'sleep 600', background: true }, { callId: left });
  await bench[Symbol.asyncDispose]();
  assert.deepEqual(await findCallProcesses({ callId: left, leader: undefined }), []);
});

test('G43: a call that is cancelled in that first second leaves nothing in the background', async () => {
  await using bench = await openBench();
  const abort = new AbortController();
  const callId = '0199c0de-0000-7000-8000-0000000000ac';
  const begun = bench.run('bash', { command: 'sleep 600', background: true }, { abort, callId });
  setTimeout(() => abort.abort({ kind: 'cancelled' }), 300);
  assert.equal((await begun).status, 'cancelled');
  assert.deepEqual(await findCallProcesses({ callId, leader: undefined }), []);
  assert.match(textOf(await bench.run('list_processes', {})), /^Nothing/);
});

for (const [title, input] of [
  ['is to go on in the background', { command: 'echo up; sleep 600', background: true }],
  ['is to go on in a terminal', { command: 'echo up; sleep 600', background: true, terminal: true }],
  ['has left something running', { command: '(sleep 600 &) ; echo up' }],
] as const)
  test(`G27, G43: a stop that comes while one that ${title} is written down ends all of it, and is answered as a stop`, async () => {
    const gate = createGate();
    const files: SharedFiles = {
      ...diskFiles,
      async update(path, change) {
        await gate.pass();
        await diskFiles.update(path, change);
      },
    };
    const callId = newId();
    await using bench = await openBench({ mode: 'off' }, { book: new ProcessBook({ path: join(folder, `${callId}.json`), files, newId }) });
    const abort = new AbortController();
    const hasSaid = Promise.withResolvers<void>();
    using pauses = heldPauses((ms) => ms === 1_000);
    const begun = bench.run('bash', input, { abort, callId, onOutput: () => /up\r?\n/.test(bench.live.join('')) && hasSaid.resolve() });
    await hasSaid.promise;
    if ('background' in input) await pauses.pass();
    await gate.reached;
    assert.ok((await findCallProcesses({ callId, leader: undefined })).length > 0);
    abort.abort(cancelled);
    gate.open();
    const stopped = await begun;
    assert.deepEqual([stopped.status, stopped.meta?.background], ['cancelled', undefined], textOf(stopped));
    assert.match(textOf(stopped), /^up\r?\n\nCancelled while it ran\.$/);
    assert.deepEqual(await findCallProcesses({ callId, leader: undefined }), []);
    assert.match(textOf(await bench.run('list_processes', {})), new RegExp(`^${stopped.meta?.process}  ended`));
  });

test('G44: what was left out of a long output is read from where it was cut, whole and in pieces', async () => {
  await using bench = await openBench();
  const flood = await bench.run('bash', { command: 'seq 1 60000; echo \u{1F98A}' });
  const id = idIn(textOf(flood).slice(-200));
  const wanted = `${Array.from({ length: 60_000 }, (_, index) => `${index + 1}\n`).join('')}\u{1F98A}\n`;
  let read = '';
  let last = '';
  for (let from = 0; from < Buffer.byteLength(wanted); ) {
    const text = textOf(await bench.run('read_process', { id, fromByte: from }));
    const [, to, body = ''] =
      /^\[p\d+, ended with exit code 0 after \d+ s; bytes \d+ to (\d+) of \d+\]\n([\s\S]*?)(?:\n\[Read on with fromByte \d+\.\])?$/.exec(text) ?? [];
    assert.ok(to !== undefined && Number(to) > from, text.slice(0, 200));
    from = Number(to);
    read += body;
    last = text;
  }
  assert.equal(read, wanted);
  assert.doesNotMatch(last, /Read on/);
  assert.match(textOf(await bench.run('read_process', { id })), /59999\n60000\n\u{1F98A}\n$/u);
});

test('G43, G44: wrong ids and places say what there is', async () => {
  await using bench = await openBench();
  const none = await bench.run('read_process', { id: 'p1' });
  assert.match(textOf(none), /This session has no process "p1"\. It has none\./);
  const id = idIn(textOf(await bench.run('bash', { command: 'seq 1 60000' })).slice(-200));
  assert.match(textOf(await bench.run('stop_process', { id: 'p99' })), new RegExp(`It has: ${id}\\.`));
  const far = await bench.run('read_process', { id, fromByte: 1e9 });
  assert.match(textOf(far), /has 348894 bytes so far\. Give a fromByte up to that/);
});

test('G44: a spool keeps the beginning when it is full or its disk takes nothing, and no character is halved', async () => {
  const spool = new OutputSpool(await openSpoolFolder(join(folder, 'one')), 'x');
  const piece = '\u{1F98A}\u00fcx'.repeat(5_000);
  for (let round = 0; round < 20; round += 1) spool.add(piece);
  assert.equal(spool.keptBytes, Buffer.byteLength(piece) * 20);
  let read = '';
  for (let at = 0; at < spool.keptBytes; ) {
    const { text, from, to } = spool.read(at, 1_001);
    assert.equal(from, at);
    read += text;
    at = to;
  }
  assert.equal(read, piece.repeat(20));
  assert.equal((await readdir(join(folder, 'one'))).length, 1);
  spool.close();
  assert.deepEqual(await readdir(join(folder, 'one')), []);

  const nowhere = new OutputSpool(join(folder, 'nothing', 'here'), 'x');
  nowhere.add('a'.repeat(60_000));
  nowhere.add('b'.repeat(60_000));
  nowhere.add('c');
  assert.deepEqual([nowhere.keptBytes, nowhere.totalBytes, nowhere.read(59_999, 10).text], [60_000, 120_001, 'a']);
});

test('G43: a wait in which nothing is said answers with nothing, and none is held where something unread is there', async () => {
  await using bench = await openBench();
  const id = idIn(textOf(await startedSaying(bench, 'one\n', 'echo one; while [ ! -e go ]; do sleep 0.05; done; echo two; sleep 600')));
  for (const waitMs of [1, 30, 255]) {
    assert.match(textOf(await bench.run('read_process', { id, fromByte: 4, waitMs })), /bytes 4 to 4 of 4\]\n\(nothing\)\n\[What comes next: fromByte 4\.\]$/);
  }
  await bench.run('bash', { command: 'touch go' });
  await bench.run('read_process', { id, fromByte: 4, waitMs: 20_000 });
  // Held until its time limit if it waited for a third line.
  const abort = new AbortController();
  const limit = setTimeout(() => abort.abort(), 20_000);
  assert.match(textOf(await bench.run('read_process', { id, fromByte: 4, waitMs: 60_000 }, { abort })), /bytes 4 to 8 of 8\]\ntwo\n/);
  clearTimeout(limit);
});

test('G43: one that has let go of its output still runs, is stopped, ends with the gateway, and its own end is seen', async () => {
  await using bench = await openBench();
  const silent = async (callId: string, goOn: string): Promise<string> => {
    const command = `(while [ ! -e go ]; do sleep 0.05; done; exec >/dev/null 2>&1; touch ${callId}; ${goOn}) & echo started`;
    return idIn(textOf(await bench.run('bash', { command }, { callId })));
  };
  const ends = 'while [ ! -e end ]; do sleep 0.05; done';
  const calls = [newId(), newId(), newId()] as const;
  const [stopped, left, ending] = [await silent(calls[0], 'sleep 600'), await silent(calls[1], 'sleep 600'), await silent(calls[2], ends)];
  await bench.run('bash', { command: `touch go; while [ ! -e ${calls[0]} -o ! -e ${calls[1]} -o ! -e ${calls[2]} ]; do sleep 0.05; done` });
  for (const id of [stopped, left, ending]) assert.match(textOf(await bench.run('read_process', { id, waitMs: 300 })), /^\[p\d+, running for /);
  assert.equal(textOf(await bench.run('stop_process', { id: stopped })), `${stopped} is stopped, with everything it had started.`);
  assert.deepEqual(await findCallProcesses({ callId: calls[0], leader: undefined }), []);
  await bench.run('bash', { command: 'touch end' });
  assert.match(textOf(await bench.run('read_process', { id: ending, waitMs: 20_000 })), /^\[p\d+, ended after /);
  await bench[Symbol.asyncDispose]();
  assert.deepEqual(await findCallProcesses({ callId: calls[1], leader: undefined }), []);
});

test('G43: what a command has left running without its output is listed and ends with the gateway too', async () => {
  await using bench = await openBench();
  const callId = newId();
  const left = await bench.run('bash', { command: 'sleep 600 >/dev/null 2>&1 & echo left' }, { callId });
  const id = idIn(textOf(left));
  assert.match(textOf(await bench.run('list_processes', {})), new RegExp(`${id}\\b.*running`));
  await bench[Symbol.asyncDispose]();
  assert.deepEqual(await findCallProcesses({ callId, leader: undefined }), []);
});

test('G43: a command in the background that closes its own output answers after a second too', async () => {
  await using bench = await openBench();
  const started = await startedSaying(bench, 'a\n', 'echo a; exec >/dev/null 2>&1; while [ ! -e go ]; do sleep 0.05; done; exit 4');
  assert.match(textOf(started), /runs in the background as p\d+[\s\S]*Its output so far:\na\n$/);
  const id = idIn(textOf(started));
  await bench.run('bash', { command: 'touch go' });
  assert.match(textOf(await bench.run('read_process', { id, fromByte: 2, waitMs: 20_000 })), /^\[p\d+, ended with exit code 4 after /);
});

test('G44: of a flood without end the first 64 MiB are kept, and who asks for more is told that it is full', async () => {
  await using bench = await openBench();
  const most = 64 * 1024 * 1024;
  const id = idIn(textOf(await bench.run('bash', { command: 'yes tendon', background: true })).slice(0, 200));
  let end = '';
  while (!end.includes('kept')) end = textOf(await bench.run('read_process', { id, waitMs: 100 })).replaceAll('tendon\n', '');
  // Of the lines at both ends of the piece there may be a part.
  const [, to = '', kept = ''] =
    /^\[p\d+, running for \d+ s; bytes \d+ to (\d+) of \d+, of which the first (\d+) are kept\]\n\w*\n?\w*\n\[The output is full: [^\]]*\]$/.exec(end) ?? [];
  assert.equal(to, kept, end);
  assert.equal(Number(kept), most);
  // Held until its time limit if it waited for what never comes.
  const abort = new AbortController();
  const limit = setTimeout(() => abort.abort(), 20_000);
  const far = await bench.run('read_process', { id, fromByte: most + 1, waitMs: 60_000 }, { abort });
  clearTimeout(limit);
  assert.deepEqual([far.status, far.error?.code], ['failed', 'out_of_range']);
  assert.match(textOf(far), new RegExp(`The output of ${id} is full: only its first ${kept} bytes are kept`));
});

/** Under a limit of the system's for the size of a file, which stands for a disk that is full. */
async function spoolUnder(limitKiB: number, path: string): Promise<unknown> {
  const script = `
    import { OutputSpool } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'output-spool.ts')).href)};
    const spool = new OutputSpool(process.argv[1], 'x');
    for (const letter of 'abc') spool.add(letter.repeat(60_000));
    const { text } = spool.read(0, 200_000);
    console.log(JSON.stringify([spool.keptBytes, spool.totalBytes, text === 'abc'.replace(/./g, (letter) => letter.repeat(60_000)).slice(0, text.length), text.length]));`;
  const shell = `ulimit -f ${limitKiB}; exec "$0" --input-type=module -e "$1" "$2"`;
  const { stdout } = await promisify(execFile)('bash', ['-c', shell, process.execPath, script, path]);
  return JSON.parse(stdout);
}

test('G44: a disk that is full in the middle of a write leaves what was kept as it was', async () => {
  for (const [limitKiB, kept] of [
    [0, 60_000],
    [50, 60_000],
    [100, 60_000],
    [150, 120_000],
  ] as const) {
    const path = await openSpoolFolder(join(folder, `limit ${limitKiB}`));
    assert.deepEqual([limitKiB, await spoolUnder(limitKiB, path)], [limitKiB, [kept, 180_000, true, kept]]);
    assert.equal((await readdir(path)).length, limitKiB > 58 ? 1 : 0);
  }
});

test('G43: a rule for a command that ends does not let the same one run on', () => {
  const subject = (input: object): string => LOCAL_TOOLS.bash.subject(LOCAL_TOOLS.bash.input.parse(input));
  assert.equal(subject({ command: 'npm start' }), 'npm start');
  assert.equal(subject({ command: 'npm start', background: true }), 'npm start &');
  assert.equal(subject({ command: 'npm start', background: false, cwd: "it's" }), "cd 'it'\\''s' && npm start");
  const policy = { version: 1 as const, default: 'deny' as const, rules: [{ action: 'allow' as const, tool: 'bash', subject: 'npm *' }] };
  const decide = (written: string) =>
    decidePolicy(policy, { tool: 'bash', effect: 'execute', workspace: '/w', subject: { written, readings: [], commands: shellCommands(written) } }).action;
  assert.deepEqual([decide('npm start'), decide('npm start &')], ['allow', 'deny']);
});
