import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ToolResult } from '@tendon/protocol';
import { v7 as newId } from 'uuid';
import { openBench, type ToolBench } from './tool-bench-rig.ts';

/** LINK_RACE_SECONDS=60 node link-race.test.ts races for longer. */
const RACE_MS = Number(process.env.LINK_RACE_SECONDS ?? 2) * 1_000;
/** A machine that is held up has so long to meet each exchange once. */
const PATIENCE_MS = 60_000;
const SESSION = newId();
const NAMES = ['read', 'write', 'edit', 'multi', 'patch', 'undone'];
/** Names that lead out in some moments and not in others; '' is a file that is itself exchanged. */
const FOLDERS = ['folder/', 'turn/', ''];
/** So often a file is written that is to be put back, until it is. */
const WRITES = 10;
const CANARY = 'CANARY';

interface Racing {
  readonly bench: ToolBench;
  readonly round: number;
  readonly place: string;
}

type Race = (racing: Racing) => Promise<ToolResult>;

const run =
  (tool: string, input: (racing: Racing) => unknown): Race =>
  (racing) =>
    racing.bench.run(tool, input(racing), { sessionId: SESSION });

/** Of every tool that is given a path, what it does in one round. All find in the outside what they look for. */
const FILE_RACES: Readonly<Record<string, Race>> = {
  read_file: run('read_file', ({ place }) => ({ path: `${place}read` })),
  async write_file({ bench, place, round }) {
    await bench.run('read_file', { path: `${place}write` }, { sessionId: SESSION });
    return bench.run('write_file', { path: `${place}write`, content: `written ${round}` }, { sessionId: SESSION });
  },
  edit_file: run('edit_file', ({ place }) => ({ path: `${place}edit`, oldText: 'n=', newText: 'n=1' })),
  multi_edit: run('multi_edit', ({ place }) => ({ path: `${place}multi`, edits: [{ oldText: 'n=', newText: 'n=1' }] })),
  apply_patch: run('apply_patch', ({ place, round }) => ({
    patch: `*** Begin Patch\n*** Update File: ${place}patch\n@@\n+more\n*** End of File\n*** Add File: ${place === '' ? 'folder/' : place}added ${round}\n+x\n*** End Patch`,
  })),
  'grep of a file': run('grep', ({ place }) => ({ path: `${place}read`, pattern: '.' })),
  async undo_changes({ bench, place, round }) {
    const callId = newId();
    const path = `${place}undone`;
    for (let turn = 0; turn < WRITES; turn += 1) {
      await bench.run('read_file', { path }, { sessionId: SESSION });
      const written = await bench.run('write_file', { path, content: `to be undone ${round}` }, { callId, sessionId: SESSION });
      if (written.status === 'succeeded') break;
    }
    return bench.run('undo_changes', { calls: [callId], files: [path], others: [] }, { sessionId: SESSION });
  },
};

const FOLDER_RACES: Readonly<Record<string, Race>> = {
  list_folder: run('list_folder', ({ place }) => ({ path: place })),
  glob: run('glob', ({ place }) => ({ path: place, pattern: '**/*' })),
  grep: run('grep', ({ place }) => ({ path: place, pattern: '.' })),
};

/** How often each tool met a link that led out, and how often it did its work. */
type Met = Map<string, { refused: number; done: number }>;

const REFUSALS = ['outside_workspace', 'changed_meanwhile'];

function count(met: Met, tool: string, result: ToolResult): void {
  const one = met.get(tool) ?? { refused: 0, done: 0 };
  met.set(tool, one);
  const left = result.meta?.undone?.some(({ outcome }) => outcome === 'left') ?? false;
  if (REFUSALS.includes(result.error?.code ?? '') || left) one.refused += 1;
  else if (result.status === 'succeeded') one.done += 1;
}

function unmet(met: Met): unknown[] {
  return [...met].filter(([, { refused, done }]) => refused === 0 || done === 0);
}

async function fill(bench: ToolBench): Promise<void> {
  const { root, outside } = bench;
  await mkdir(join(root, 'folder'));
  await mkdir(join(root, 'inside'));
  await mkdir(join(outside, `${CANARY} folder`));
  await symlink('inside', join(root, 'turn'));
  for (const name of NAMES) {
    for (const folder of ['folder', 'inside', '.']) await writeFile(join(root, folder, name), 'n=\n');
    await writeFile(join(root, `.${name}`), 'n=\n');
    await writeFile(join(outside, name), `${CANARY} n=\n`);
  }
}

async function stateOf(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const info = await lstat(join(folder, name));
      return [name, info.ino, info.mode, info.mtimeMs, info.isFile() ? await readFile(join(folder, name), 'utf8') : ''].join(' ');
    }),
  );
}

/** One call of every tool at every name, all at once. */
async function round(bench: ToolBench, number: number, met: Met): Promise<void> {
  const calls = [
    ...Object.entries(FILE_RACES).flatMap(([tool, race]) => FOLDERS.map((place) => ({ tool, race, place }))),
    ...Object.entries(FOLDER_RACES).flatMap(([tool, race]) => ['folder', 'turn', '.'].map((place) => ({ tool, race, place }))),
  ];
  const results = await Promise.all(
    calls.map(async ({ tool, race, place }) => ({ tool, what: `${tool} at ${place}`, result: await race({ bench, round: number, place }) })),
  );
  for (const { tool, what, result } of results) {
    assert.doesNotMatch(JSON.stringify(result), new RegExp(CANARY), what);
    count(met, tool, result);
  }
}

test('G20: folders, files and links that are exchanged all the time let no tool out, and each tool has met it', async () => {
  await using bench = await openBench();
  await fill(bench);
  const before = await stateOf(bench.outside);
  const env = { ...process.env, NAMES: NAMES.join(' ') };
  const exchanger = fork(join(import.meta.dirname, 'link-exchanger-rig.ts'), [bench.root, bench.outside], {
    env,
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const met: Met = new Map();
  const begun = performance.now();
  try {
    await once(exchanger, 'message');
    let number = 0;
    const isShort = (): boolean => performance.now() - begun < RACE_MS || (unmet(met).length > 0 && performance.now() - begun < PATIENCE_MS);
    while (exchanger.exitCode === null && isShort()) await round(bench, number++, met);
    assert.equal(exchanger.exitCode, null, 'the exchanges went on to the end');
  } finally {
    exchanger.kill('SIGKILL');
    if (exchanger.exitCode === null && exchanger.signalCode === null) await once(exchanger, 'exit');
  }
  assert.deepEqual(await stateOf(bench.outside), before);
  assert.deepEqual(unmet(met), [], 'every tool has met a link that led out, and has done its work between');
});
