import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { McpPins } from './mcp-pins.ts';

/** A disk with one file, which may refuse to be read. */
function diskWith(text: string | undefined) {
  const disk = {
    text,
    fault: undefined as Error | undefined,
    read: async () => {
      if (disk.fault) throw disk.fault;
      return disk.text === undefined ? undefined : Buffer.from(disk.text);
    },
    update: async (_path: string, change: (current: Buffer | undefined) => string | undefined) => {
      disk.text = change(await disk.read()) ?? disk.text;
    },
  };
  const open = () => McpPins.open({ path: 'pins.json', files: disk, log: pino({ level: 'silent' }), now: () => new Date(0) });
  return { disk, open };
}

const GOOD = JSON.stringify({ version: 1, tools: { a: { hash: '1' }, b: { hash: '2' } } });

test('E6: a file of pins that the disk does not give is not replaced, and its pins hold when it is back', async () => {
  const { disk, open } = diskWith(GOOD);
  disk.fault = Object.assign(new Error('no'), { code: 'EACCES' });
  const without = await open();
  assert.ok(without.look('a', '1'));
  without.approve('a', '1');
  assert.equal(without.look('a', '1'), undefined, 'an approval counts in this process');
  await without.settled();
  assert.equal(disk.text, GOOD);
  disk.fault = undefined;
  const again = await open();
  assert.equal(again.look('a', '1'), undefined);
  assert.ok(again.look('b', 'other'));
});

test('E6: a broken file of pins makes tools that were not seen then changed ones at later starts too', async () => {
  const { open } = diskWith('{"version":');
  const first = await open();
  assert.ok(first.look('a', '1'));
  first.approve('a', '1');
  await first.settled();
  const second = await open();
  assert.equal(second.look('a', '1'), undefined);
  assert.ok(second.look('b', '2'), 'its pin was in the broken file');
  await second.settled();
  assert.ok((await open()).look('c', '3'));
});

test('E21: a server that makes up names fills no file: new tools are changed ones then, and an approval still pins', async () => {
  const { disk, open } = diskWith(GOOD);
  const pins = await open();
  for (let count = 0; count < 6_000; count += 1) pins.look(`made-up-${count}`, 'x');
  await pins.settled();
  assert.ok(Object.keys(JSON.parse(disk.text ?? '').tools).length <= 5_000);
  assert.ok(pins.look('made-up-5999', 'x'));
  assert.equal(pins.look('a', '1'), undefined, 'what was pinned before holds');
  pins.approve('wanted', 'x');
  assert.equal(pins.look('wanted', 'x'), undefined);
  assert.ok(pins.look('wanted', 'y'));
});

test('E30: two nodes that share a home keep what each has pinned, and an approval at one holds at the other', async () => {
  const { open } = diskWith(GOOD);
  const [first, second] = [await open(), await open()];
  assert.equal(first.look('only the first sees', '1'), undefined);
  await first.settled();
  assert.equal(second.look('only the second sees', '1'), undefined);
  await second.settled();
  const later = await open();
  for (const tool of ['only the first sees', 'only the second sees']) assert.ok(later.look(tool, 'other'), `${tool} was lost`);

  first.approve('a', 'new');
  await first.settled();
  assert.equal(second.look('another', '1'), undefined);
  await second.settled();
  assert.equal(second.look('a', 'new'), undefined, 'it has taken it over');
  assert.equal((await open()).look('a', 'new'), undefined);
});

test('E30, E6: a tool that one node has seen change is not pinned by another that sees it for the first time', async () => {
  const { open } = diskWith(undefined);
  const [first, late] = [await open(), await open()];
  first.look('a', '1');
  assert.ok(first.look('a', '2'));
  await first.settled();
  late.look('a', '2');
  await late.settled();
  for (const pins of [late, await open()]) assert.deepEqual(pins.look('a', '2'), { changedAt: new Date(0).toISOString() });

  late.look('a', '3');
  await late.settled();
  const again = await open();
  assert.equal(again.look('a', '1'), undefined, 'what was pinned first is what counts');
  late.approve('a', '3');
  await late.settled();
  assert.equal((await open()).look('a', '3'), undefined, 'until a person approves');
});

test('E30, E6: a file that is broken while a node runs is replaced by what that node knows, and says that others may have known more', async () => {
  const { disk, open } = diskWith(GOOD);
  const pins = await open();
  disk.text = '{"version":';
  pins.approve('a', 'new');
  await pins.settled();
  const later = await open();
  assert.equal(later.look('a', 'new'), undefined);
  assert.equal(later.look('b', '2'), undefined);
  assert.ok(later.look('of another node', '1'));
});

test('E30, E6: what a disk did not take is written with the next change', async () => {
  const { disk, open } = diskWith(GOOD);
  const pins = await open();
  disk.fault = new Error('EIO');
  pins.approve('a', 'new');
  await pins.settled();
  assert.equal(disk.text, GOOD);
  disk.fault = undefined;
  pins.look('c', '3');
  await pins.settled();
  const later = await open();
  assert.equal(later.look('a', 'new'), undefined);
  assert.ok(later.look('c', 'other'));
});
