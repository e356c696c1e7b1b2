import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import type { McpConfig } from './mcp-config.ts';
import { McpConfigFile } from './mcp-config-file.ts';

interface Rig extends AsyncDisposable {
  readonly base: string;
  readonly path: string;
  readonly file: McpConfigFile;
  /** What was read next, as the names of servers. */
  next(): Promise<string[]>;
}

async function openRig(onChange: (config: McpConfig) => void = () => undefined): Promise<Rig> {
  const base = await mkdtemp(join(tmpdir(), 'tendon mcp '));
  const path = join(base, 'home', 'mcp.json');
  const file = new McpConfigFile({ path, env: {}, reader: 'gateway', log: pino({ level: 'silent' }) });
  const heard: McpConfig[] = [];
  let wake = (): void => undefined;
  await file.read();
  file.look(async (config) => {
    heard.push(config);
    wake();
    onChange(config);
  });
  return {
    ...{ base, path, file },
    async next() {
      if (heard.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      return (heard.shift()?.servers ?? []).map(({ name }) => name);
    },
    async [Symbol.asyncDispose]() {
      await file.close();
      await file.close();
      await rm(base, { recursive: true });
    },
  };
}

const naming = (...names: string[]): string => JSON.stringify({ mcpServers: Object.fromEntries(names.map((name) => [name, { command: 'x' }])) });

test('E16: a change is noticed in a folder that comes later, in place, by another file, through a link, and when the file goes', async () => {
  await using rig = await openRig();
  await mkdir(join(rig.base, 'home'));
  await writeFile(rig.path, naming('a'));
  assert.deepEqual(await rig.next(), ['a']);
  await writeFile(rig.path, naming('b'));
  assert.deepEqual(await rig.next(), ['b']);
  await writeFile(`${rig.path}~`, naming('c'));
  await rename(`${rig.path}~`, rig.path);
  assert.deepEqual(await rig.next(), ['c']);
  const target = join(rig.base, 'elsewhere.json');
  await writeFile(target, naming('d'));
  await rm(rig.path);
  await symlink(target, rig.path);
  assert.deepEqual(await rig.next(), ['d']);
  await writeFile(target, naming('e'));
  assert.deepEqual(await rig.next(), ['e']);
  await rm(join(rig.base, 'home'), { recursive: true });
  assert.deepEqual(await rig.next(), []);
});

test('E16: a file that is away or empty for a moment, as editors have it, is not taken for one without servers', async () => {
  const counts: number[] = [];
  await using rig = await openRig(({ servers }) => counts.push(servers.length));
  await mkdir(join(rig.base, 'home'));
  await writeFile(rig.path, naming('a'));
  assert.deepEqual(await rig.next(), ['a']);
  for (const name of ['b', 'c', 'd']) {
    await rename(rig.path, `${rig.path}~`);
    await writeFile(rig.path, naming(name));
    assert.deepEqual(await rig.next(), [name]);
    await truncate(rig.path);
    await writeFile(rig.path, naming(`${name}${name}`));
    assert.deepEqual(await rig.next(), [`${name}${name}`]);
  }
  assert.ok(counts.every((count) => count === 1));
});

test('E16: a change that cannot be taken over does not end the looking', async () => {
  await using rig = await openRig(({ servers }) => {
    if (servers[0]?.name === 'bad') throw new Error('no');
  });
  await mkdir(join(rig.base, 'home'));
  await writeFile(rig.path, naming('bad'));
  assert.deepEqual(await rig.next(), ['bad']);
  await writeFile(rig.path, naming('good'));
  assert.deepEqual(await rig.next(), ['good']);
});
