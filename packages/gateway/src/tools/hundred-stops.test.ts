import assert from 'node:assert/strict';
import { readdir, readlink } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { cancelled, openBench, textOf } from './tool-bench-rig.ts';

const LOOP = 'while :; do sleep 0.1; done';

/** What a stop has to end. Each says `ready` when all of it is there. */
const TREES: Readonly<Record<string, string>> = {
  'a plain sleep': 'echo ready; exec sleep 600',
  'children of children': '(bash -c "bash -c \'echo ready; sleep 600\' & sleep 600" & wait) & wait',
  'one that ignores TERM': `trap "" TERM; echo ready; ${LOOP}`,
  'a child that ignores TERM, under a shell that obeys': `bash -c 'trap "" TERM; echo ready; ${LOOP}' & wait`,
  'one that ignores all that can be ignored': `trap "" TERM HUP INT QUIT USR1 USR2 PIPE ALRM TSTP; echo ready; ${LOOP}`,
  'a child in a session of its own': "setsid bash -c 'echo ready; sleep 600' & wait",
  'a daemon: own session, adopted, ignoring TERM and HUP': `(setsid bash -c 'trap "" TERM HUP; echo ready; ${LOOP}' &) ; sleep 600`,
  'a daemon that has let go of its output': `(setsid bash -c 'trap "" HUP; exec <&- >/dev/null 2>&1; ${LOOP}' &) ; echo ready; sleep 600`,
  'one that was started with nohup': 'nohup sleep 600 > /dev/null 2>&1 & echo ready; sleep 600',
  'nohup, a session of its own, and no parent': '(nohup setsid sleep 600 > /dev/null 2>&1 &) ; echo ready; sleep 600',
  'a double fork': "( ( bash -c 'echo ready; sleep 600' & ) & ) ; sleep 600",
  'a double fork, each in a session of its own': "setsid bash -c 'setsid sleep 600 & echo ready; exec sleep 600' & sleep 600",
  'a daemon that cleared its environment and let go of everything':
    '(env -i PATH="$PATH" setsid bash -c "touch there; exec sleep 600" < /dev/null > /dev/null 2>&1 &); until [ -e there ]; do sleep 0.01; done; echo ready; sleep 600',
  'a child that cleared its environment, in a session of its own': 'env -i PATH="$PATH" setsid bash -c \'echo ready; sleep 600\' & wait',
  'a stopped child': "bash -c 'echo ready; kill -STOP $$' & wait",
  'a stopped child that ignores TERM': 'bash -c \'trap "" TERM; echo ready; kill -STOP $$\' & wait',
  'a shell that has stopped itself': 'echo ready; kill -STOP $$',
  'a background child that holds the output': "bash -c 'echo ready; sleep 600' & sleep 600",
  'one that starts another when it is told to end': `trap 'setsid sleep 600 & exit' TERM; echo ready; ${LOOP}`,
  'one that goes on starting others': 'echo ready; for i in $(seq 200); do sleep 600 & sleep 0.05; done; wait',
  'thirty children at once': 'for i in $(seq 30); do sleep 600 & done; echo ready; wait',
  'a chain of ten': 'f() { if [ "$1" = 0 ]; then echo ready; sleep 600; else (f $(($1 - 1)); true); fi; }; f 10',
  'a pipe that floods': 'echo ready; yes | cat > /dev/null',
  'children with groups of their own': "set -m; sleep 600 & bash -c 'echo ready; sleep 600' & wait",
  'a substitution and a coprocess': 'coproc sleep 600; cat <(echo ready; sleep 600); echo "$(sleep 600)"',
};

const WAYS = ['off', 'required'].flatMap((mode) => [false, true].map((terminal) => ({ mode: mode as 'off' | 'required', terminal })));

/** Who works in a folder: found without the code under test, and through the walls of a sandbox. */
async function whoIsIn(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return pids.filter((_, index) => folders[index]?.includes(folder));
}

test('G27: there are a hundred of these', () => {
  assert.equal(Object.keys(TREES).length * WAYS.length, 100);
});

for (const { mode, terminal } of WAYS) {
  describe(`G27: a stop leaves nothing, sandbox ${mode}, ${terminal ? 'in a terminal' : 'without a terminal'}`, { concurrency: 8 }, () => {
    for (const [name, command] of Object.entries(TREES)) {
      test(`G27, G47: ${name}`, async () => {
        await using bench = await openBench({ mode });
        const abort = new AbortController();
        let said = '';
        let before: Promise<string[]> | undefined;
        const onOutput = (text: string): void => {
          said += text;
          if (!said.includes('ready') || before) return;
          before = whoIsIn(bench.root);
          void before.finally(() => abort.abort(cancelled));
        };
        const result = await bench.run('bash', { command, terminal }, { abort, onOutput });
        assert.equal(result.status, 'cancelled', textOf(result));
        assert.match(textOf(result), /ready[\s\S]*Cancelled/);
        assert.ok(((await before) ?? []).length > 0, 'something was there to be ended');
        assert.deepEqual(await whoIsIn(bench.root), []);
      });
    }
  });
}
