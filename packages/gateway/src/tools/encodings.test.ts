import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { v7 as newId } from 'uuid';
import { applyEdit } from './edit-file.ts';
import { decode, encode, findEncoding } from './text-encoding.ts';
import { openBench, type ToolBench, textOf } from './tool-bench-rig.ts';

const SESSION = newId();

const utf16le = (text: string): Buffer => Buffer.from(text, 'utf16le');
const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();
/** Of the letters that Windows-1252 has elsewhere than Latin-1, only the euro sign stands in these tests. */
const windows1252 = (text: string): Buffer => Buffer.from(text.replaceAll('€', '\u0080'), 'latin1');
const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');

interface Row {
  readonly name: string;
  readonly bytesOf: (text: string) => Buffer;
  readonly before: string;
  /** After a line was added and one changed in the middle, and after the whole was written with lines that end with LF. */
  readonly edited: string;
  readonly written: string;
  readonly told?: RegExp;
  readonly kept?: RegExp;
  /** What a diff shows is without carriage returns and byte order mark, unless these change. */
  readonly isMixed?: true;
}

const CRLF = 'first\r\nneu\r\nblau €\r\nthird\r\n';
const LF = 'first\nneu\nblau €\nthird\n';

const ROWS: readonly Row[] = [
  { name: 'CRLF', bytesOf: utf8, before: 'first\r\ngrün €\r\nthird\r\n', edited: CRLF, written: CRLF, kept: /with its CRLF line ends kept/ },
  {
    name: 'a byte order mark',
    bytesOf: utf8,
    before: '\ufefffirst\ngrün €\nthird\n',
    edited: `\ufeff${LF}`,
    written: `\ufeff${LF}`,
    kept: /with its byte order mark kept/,
  },
  {
    name: 'UTF-16LE',
    bytesOf: utf16le,
    before: '\ufefffirst\r\ngrün €\r\nthird\r\n',
    edited: `\ufeff${CRLF}`,
    written: `\ufeff${CRLF}`,
    told: /is UTF-16LE text/,
    kept: /with UTF-16LE, its byte order mark, its CRLF line ends kept/,
  },
  {
    name: 'UTF-16BE',
    bytesOf: utf16be,
    before: '\ufefffirst\ngrün €\nthird\n',
    edited: `\ufeff${LF}`,
    written: `\ufeff${LF}`,
    told: /is UTF-16BE text/,
    kept: /with UTF-16BE, its byte order mark kept/,
  },
  {
    name: 'Windows-1252',
    bytesOf: windows1252,
    before: 'first\r\ngrün €\r\nthird\r\n',
    edited: CRLF,
    written: CRLF,
    told: /is Windows-1252 text, told by its bytes alone/,
    kept: /with Windows-1252, its CRLF line ends kept/,
  },
  {
    name: 'mixed line ends',
    bytesOf: utf8,
    before: 'first\r\ngrün €\nthird\r\n',
    edited: CRLF,
    written: CRLF,
    kept: /its CRLF line ends kept/,
    isMixed: true,
  },
  { name: 'no final newline', bytesOf: utf8, before: 'first\ngrün €\nthird', edited: LF.slice(0, -1), written: LF },
  {
    name: 'CRLF without a final one',
    bytesOf: utf8,
    before: 'first\r\ngrün €\r\nthird',
    edited: CRLF.slice(0, -2),
    written: CRLF,
  },
];

const PATCH = '*** Begin Patch\n*** Update File: f\n@@\n first\n-grün €\n+neu\n+blau €\n third\n*** End Patch';
const CHANGES: readonly (readonly [tool: string, input: object])[] = [
  ['edit_file', { path: 'f', oldText: 'first\ngrün €\nthird', newText: 'first\nneu\nblau €\nthird' }],
  [
    'multi_edit',
    {
      path: 'f',
      edits: [
        { oldText: 'grün €\nthird', newText: 'NEU\nblau €\nthird' },
        { oldText: 'NEU', newText: 'neu' },
      ],
    },
  ],
  ['apply_patch', { patch: PATCH }],
  ['write_file', { path: 'f', content: LF }],
];

const DIFF = '--- a/f\n+++ b/f\n@@ -1,3 +1,4 @@\n first\n-grün €\n+neu\n+blau €\n third\n';

async function undo(bench: ToolBench, callId: string): Promise<void> {
  const result = await bench.run('undo_changes', { calls: [callId], files: ['f'], others: [] }, { sessionId: SESSION });
  assert.deepEqual(
    result.meta?.undone?.map((file) => file.outcome),
    ['restored'],
  );
}

for (const row of ROWS) {
  test(`G51: ${row.name}: read as text, changed by every tool as it was, shown in the diff, and had back to the byte`, async () => {
    await using bench = await openBench();
    const path = join(bench.root, 'f');
    const before = row.bytesOf(row.before);
    await writeFile(path, before);
    const read = textOf(await bench.run('read_file', { path: 'f' }, { sessionId: SESSION }));
    assert.deepEqual(read.split('\n').slice(0, 3), ['     1\tfirst', '     2\tgrün €', '     3\tthird']);
    if (row.told) assert.match(read, row.told);
    else assert.equal(read.split('\n').length, 3);
    for (const [tool, input] of CHANGES) {
      await bench.run('read_file', { path: 'f' }, { sessionId: SESSION });
      const callId = newId();
      const result = await bench.run(tool, input, { callId, sessionId: SESSION });
      assert.equal(result.status, 'succeeded', `${tool}: ${textOf(result)}`);
      const wanted = tool === 'write_file' ? row.written : row.edited;
      assert.deepEqual(await readFile(path), row.bytesOf(wanted), tool);
      if (tool === 'write_file') assert.match(textOf(result), row.kept ?? /bytes/);
      if (!row.isMixed && row.before.endsWith('\n') === wanted.endsWith('\n'))
        assert.equal(result.meta?.diff?.replaceAll('\\ No newline at end of file\n', ''), DIFF, tool);
      await undo(bench, callId);
      assert.deepEqual(await readFile(path), before, `${tool}, undone`);
    }
    // ripgrep knows UTF-16 by its mark, and Windows-1252 not at all.
    assert.match(textOf(await bench.run('grep', { pattern: '^grün €$' })), row.bytesOf === windows1252 ? /^Nothing matches "\^grün €\$"\./ : /^f:2:grün €$/);
  });
}

test('G51: grep shows the letters of a Windows-1252 line, and a carriage return is found by who asks for one', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'f'), windows1252('first\r\ngrün € end\r\nthird\n'));
  assert.equal(textOf(await bench.run('grep', { pattern: 'end$' })), 'f:2:grün € end');
  assert.equal(textOf(await bench.run('grep', { pattern: 't\\r$' })), 'f:1:first');
});

test('G51: a diff shows line ends and the mark where they are what changes', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'f'), 'first\r\ngrün\nthird\r\n');
  await writeFile(join(bench.root, 'g'), 'a\n');
  for (const path of ['f', 'g']) await bench.run('read_file', { path });
  const result = await bench.run('write_file', { path: 'f', content: 'first\ngrün\nthird\n' });
  assert.match(result.meta?.diff ?? '', /\n first\r\n-grün\n\+grün\r\n third\r\n$/);
  assert.match((await bench.run('write_file', { path: 'g', content: '\ufeffa\r\n' })).meta?.diff ?? '', /\n-a\n\+\ufeffa\r\n$/);
  assert.equal(await readFile(join(bench.root, 'g'), 'utf8'), '\ufeffa\r\n', 'what the content itself says is meant');
});

test('G51: what the encoding of a file does not have is refused by every tool, and the file is untouched', async () => {
  await using bench = await openBench();
  const path = join(bench.root, 'f');
  const before = windows1252('first\r\ngrün €\r\nthird\r\n');
  await writeFile(path, before);
  const tools: [string, object][] = [
    ['edit_file', { path: 'f', oldText: 'third', newText: '→ third' }],
    ['multi_edit', { path: 'f', edits: [{ oldText: 'third', newText: '→ third' }] }],
    ['apply_patch', { patch: PATCH.replace('+neu', '+neu\n+→') }],
    ['write_file', { path: 'f', content: 'first\nneu\n→\n' }],
  ];
  await bench.run('read_file', { path: 'f' });
  for (const [tool, input] of tools) {
    const result = await bench.run(tool, input);
    assert.equal(result.error?.code, 'not_in_encoding', tool);
    assert.match(textOf(result), /"→" \(line 3 .*not in Windows-1252.* iconv -f WINDOWS-1252 -t UTF-8/, tool);
    assert.deepEqual(await readFile(path), before, tool);
  }
  const fox = await bench.run('write_file', { path: 'f', content: 'a \u{1F98A}' });
  assert.match(textOf(fox), /"\u{1F98A}" \(line 1/u);
});

test('G51: what is no text, or text that is damaged, is not taken for an encoding that it is not', async () => {
  await using bench = await openBench();
  const bytes = (...values: number[]): Buffer => Buffer.from(values);
  const letters = utf8('für alle Bücher, süß');
  const rows: [string, Buffer, string, RegExp][] = [
    ['UTF-16 without a mark', utf16le('hello'), 'binary_file', /binary file/],
    ['UTF-32', bytes(0xff, 0xfe, 0, 0, 0x61, 0, 0, 0), 'binary_file', /binary file/],
    ['a mark and then zeros', bytes(0xff, 0xfe, 0x61, 0, 0, 0, 0x62, 0), 'binary_file', /binary file/],
    ['half a surrogate pair', Buffer.concat([utf16le('\ufeffa\ud83e'), utf16le('b')]), 'unknown_encoding', /a\ufffdb\n\[Some bytes are not UTF-16LE/],
    ['an odd number of bytes', bytes(0xff, 0xfe, 0x61, 0, 0x62), 'unknown_encoding', /not UTF-16LE/],
    ['UTF-8 with one broken byte', Buffer.concat([letters, bytes(0xff)]), 'unknown_encoding', /für alle Bücher, süß\ufffd\n\[Some bytes are not UTF-8/],
    ['a mark of UTF-8 and then a broken byte', bytes(0xef, 0xbb, 0xbf, 0x61, 0xfc, 0x62), 'unknown_encoding', /a\ufffdb/],
    ['a control byte', bytes(0x61, 0x1b, 0xfc), 'unknown_encoding', /\ufffd/],
    ['a byte that Windows-1252 does not have', bytes(0x61, 0x81, 0x62), 'unknown_encoding', /\ufffd/],
  ];
  const path = join(bench.root, 'f');
  for (const [name, content, code, words] of rows) {
    await writeFile(path, content);
    const read = await bench.run('read_file', { path: 'f' });
    assert.match(textOf(read), words, name);
    for (const [tool, input] of CHANGES.slice(0, 3)) assert.equal((await bench.run(tool, input)).error?.code, code, `${name}, ${tool}`);
    assert.deepEqual(await readFile(path), content, name);
    assert.match(textOf(await bench.run('write_file', { path: 'f', content: 'é' })), /2 bytes, now UTF-8: what was there was not read as text/, name);
    assert.equal(await readFile(path, 'utf8'), 'é', name);
  }
});

test('G51: an edit that would change nothing but line ends says that they stay', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'f'), 'a\r\nb\r\n');
  const result = await bench.run('edit_file', { path: 'f', oldText: 'a\r\nb', newText: 'a\nb' });
  assert.equal(result.error?.code, 'invalid_input');
  assert.match(textOf(result), /those ends stay/);
});

test('G51: in a file of mixed line ends, lines that stay keep theirs, one for one, and new ones end as most do', () => {
  const text = 'a\r\nb\nc\r\nd\n\r\n';
  const edit = (oldText: string, newText: string): string => applyEdit(text, { path: 'f', oldText, newText }).text;
  assert.equal(edit('a\nb\nc\nd', 'a\nB\nc\nD'), 'a\r\nB\nc\r\nD\n\r\n');
  assert.equal(edit('b\nc\n', 'b\nnew\nand\nc\n'), 'a\r\nb\nnew\r\nand\r\nc\r\nd\n\r\n');
  assert.equal(edit('a\nb\nc\nd\n', 'd\n'), 'd\n\r\n');
  assert.equal(edit('d\n\n', 'd\r\n'), 'a\r\nb\nc\r\nd\r\n', 'one that the edit names is meant');
});

test('G51: a piece that stands twice but for its line ends is not guessed at', () => {
  assert.throws(() => applyEdit('a\nb\na\r\nb\n', { path: 'f', oldText: 'a\nb', newText: 'x' }), /2 times in "f", at lines 1, 3/);
  assert.equal(applyEdit('a\nb\na\r\nb\n', { path: 'f', oldText: 'a\r\nb', newText: 'x' }).text, 'a\nb\nx\n');
});

test('G51: every text comes back from its bytes, and every byte of a text from its letters', () => {
  const anyText = fc.string({ unit: 'binary', maxLength: 30 });
  const details = fc.check(
    fc.property(anyText, fc.constantFrom('utf-16le' as const, 'utf-16be' as const), (text, encoding) => {
      const marked = `\ufeff${text.replaceAll('\0', ' ')}a`;
      const encoded = encode(marked, encoding);
      assert.ok(encoded.ok);
      assert.equal(findEncoding(encoded.bytes), encoding);
      assert.equal(decode(encoded.bytes, encoding), marked);
    }),
    { numRuns: 200 },
  );
  assert.ok(!details.failed, `seed ${details.seed}: ${JSON.stringify(details.counterexample)}`);
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const letters = encode(decode(all, 'windows-1252') ?? '', 'windows-1252');
  assert.ok(letters.ok);
  assert.deepEqual(letters.bytes, all);
});
