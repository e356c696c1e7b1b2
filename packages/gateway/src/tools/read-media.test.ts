import assert from 'node:assert/strict';
import { copyFile, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { deflateRawSync, constants as zlib } from 'node:zlib';
import type { ToolResult } from '@tendon/protocol';
import { gifOf, jpegOf, pngOf, webpOf } from './picture-rig.ts';
import { type PictureType, pictureSize } from './picture-size.ts';
import { readImage } from './read-image.ts';
import { openBench } from './tool-bench-rig.ts';

const bench = await openBench();
after(() => bench[Symbol.asyncDispose]());

const textOf = (result: ToolResult): string => result.content.map((part) => (part.type === 'text' ? part.text : `[${part.type}]`)).join('\n');
const read = (path: string, more: object = {}): Promise<ToolResult> => bench.run('read_file', { path, ...more });
const put = (name: string, data: Uint8Array | string): Promise<void> => writeFile(join(bench.root, name), data);

const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
type Kind = readonly [mimeType: PictureType, make: (width: number, height: number) => Buffer];
const KINDS: readonly Kind[] = [
  ['image/png', pngOf],
  ['image/jpeg', jpegOf],
  ['image/gif', gifOf],
  ...(['VP8 ', 'VP8L', 'VP8X'] as const).map((kind): Kind => ['image/webp', (width, height) => webpOf(kind, width, height)]),
];

test('G41: a picture is shown as one, by what it is and not by its name', async () => {
  for (const [mimeType, make] of KINDS) {
    const data = make(300, 7);
    await put('odd näme "quoted".txt', data);
    const result = await read('odd näme "quoted".txt');
    assert.equal(result.status, 'succeeded');
    assert.deepEqual(result.content.at(-1), { type: 'image', data: data.toString('base64'), mimeType });
    assert.match(textOf(result), new RegExp(`${mimeType}, 300×7 pixels, ${data.length} bytes`));
  }
  await put('picture.png', 'just text');
  assert.equal(textOf(await read('picture.png')), '     1\tjust text');
  for (const other of [Buffer.from('RIFF\x1a\x00\x00\x00WAVEfmt ', 'latin1'), Buffer.from('GIF88a\0\0'), Buffer.from([0x89, 0x50, 0x4e, 0x47, 0])]) {
    await put('other.png', other);
    assert.equal((await read('other.png')).error?.code, 'binary_file');
  }
});

test('G41: a picture that is too large, or asked for by line, says what to do instead', async () => {
  await put('large.png', Buffer.concat([PNG, Buffer.alloc(700 * 1024)]));
  const large = await read('large.png');
  assert.equal(large.error?.code, 'too_large');
  assert.match(textOf(large), /up to 716800 can be shown\. Make a smaller copy/);
  await put('exact.png', Buffer.concat([PNG, Buffer.alloc(700 * 1024 - PNG.length)]));
  const exact = await read('exact.png');
  assert.ok(JSON.stringify(exact).length < 1024 * 1024, 'it fits into a result');
  assert.equal(exact.content.at(-1)?.type, 'image');
  await put('small.png', PNG);
  assert.match(textOf(await read('small.png', { startLine: 2 })), /has no lines\. Leave startLine and endLine out/);
});

test('G41: a picture that is cut off anywhere is not shown, and one with more sides than models take says how to make a smaller one', async () => {
  for (const [mimeType, make] of KINDS) {
    const whole = make(9, 8_000);
    assert.equal(pictureSize(mimeType, whole)?.height, 8_000, mimeType);
    const cuts = Array.from({ length: whole.length - 12 }, (_, index) => whole.subarray(0, index + 12));
    assert.deepEqual(
      cuts.filter((cut) => pictureSize(mimeType, cut) !== undefined),
      [],
      mimeType,
    );
    await put('cut', whole.subarray(0, -1));
    const cut = await read('cut');
    assert.deepEqual([cut.error?.code, cut.content.length], ['damaged_picture', 1]);
    assert.match(textOf(cut), /^"cut" begins as image\/\w+ and is no whole picture.* make it anew/);
    await put('wide', make(8_001, 5));
    const wide = await read('wide');
    assert.equal(wide.error?.code, 'too_large');
    assert.match(textOf(wide), /^"wide" is a picture of 8001×5 pixels; up to 8000 a side can be shown\. Make a smaller copy/);
  }
  await put('nine bytes', Buffer.from('\x89PNG\r\n\x1a\n\0', 'latin1'));
  assert.equal((await read('nine bytes')).error?.code, 'damaged_picture');
  const turned = pngOf(9, 9);
  turned[turned.length - 20] = 1 ^ (turned[turned.length - 20] ?? 0);
  await put('one bit turned', turned);
  assert.equal((await read('one bit turned')).error?.code, 'damaged_picture');
  await put('no height', jpegOf(9, 0));
  assert.equal((await read('no height')).error?.code, 'damaged_picture');
});

test('G41: a picture that has grown since its size was asked for is held to the limit all the same', async () => {
  await put('grown.png', Buffer.concat([PNG, Buffer.alloc(3 * 1024 * 1024)]));
  const handle = await open(join(bench.root, 'grown.png'));
  await assert.rejects(readImage('grown.png', handle, { size: PNG.length, mimeType: 'image/png' }), /up to 716800 can be shown/);
  await handle.close();
});

/** A PDF with a line of text on each page. */
function pdfOf(pages: readonly string[]): Buffer {
  const kids = pages.map((_, index) => `${4 + 2 * index} 0 R`).join(' ');
  const objects = ['<< /Type /Catalog /Pages 2 0 R >>', `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`];
  objects.push('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>');
  pages.forEach((text, index) => {
    const drawn = text === '' ? '' : `BT /F1 18 Tf 20 100 Td (${text}) Tj ET`;
    objects.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents ${5 + 2 * index} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`);
    objects.push(`<< /Length ${drawn.length} >>\nstream\n${drawn}\nendstream`);
  });
  let file = '%PDF-1.4\n';
  const places = objects.map((object, index) => {
    const place = file.length;
    file += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return `${String(place).padStart(10, '0')} 00000 n \n`;
  });
  const table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${places.join('')}`;
  return Buffer.from(`${file}${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`, 'latin1');
}

test('G42: the text of a PDF is read page by page, and by line', async () => {
  await put('paper', pdfOf(['Hello from page one', 'Second page']));
  assert.equal(textOf(await read('paper')), '     1\t--- page 1 of 2 ---\n     2\tHello from page one\n     3\t--- page 2 of 2 ---\n     4\tSecond page');
  assert.equal(textOf(await read('paper', { startLine: 4 })), '     4\tSecond page');
  assert.equal((await read('paper', { startLine: 9 })).error?.code, 'out_of_range');
});

test('G42: a PDF that is locked, damaged, a scan or too large says so', async () => {
  await copyFile(join(import.meta.dirname, 'test-files/locked.pdf'), join(bench.root, 'locked.pdf'));
  const whole = pdfOf(['Hello']);
  await put('cut.pdf', whole.subarray(0, 60));
  await put('garbage.pdf', `%PDF-1.7\n${'\u0000\u00ff'.repeat(500)}`);
  await put('scan.pdf', pdfOf(['', '']));
  await put('large.pdf', Buffer.concat([whole, Buffer.alloc(32 * 1024 * 1024)]));
  for (const [path, code, words] of [
    ['locked.pdf', 'locked', /locked with a password/],
    ['cut.pdf', 'unreadable', /damaged or cut off/],
    ['garbage.pdf', 'unreadable', /damaged or cut off/],
    ['scan.pdf', 'no_text', /has 2 pages and no text in them/],
    ['large.pdf', 'too_large', /pdftotext/],
  ] as const) {
    const result = await read(path);
    assert.deepEqual([path, result.error?.code], [path, code]);
    assert.match(textOf(result), words);
  }
});

/** A PDF whose page unfolds to so many MiB of blanks. */
function unfoldingPdf(mebibytes: number): Buffer {
  const piece = deflateRawSync(Buffer.alloc(1024 * 1024, ' '), { finishFlush: zlib.Z_FULL_FLUSH });
  const drawn = Buffer.concat([Buffer.from([0x78, 0x9c]), ...Array.from({ length: mebibytes }, () => piece), Buffer.from([3, 0])]);
  const plain = pdfOf(['']).toString('latin1');
  const stream = `<< /Length ${drawn.length} /Filter /FlateDecode >>\nstream\n${drawn.toString('latin1')}`;
  return Buffer.from(
    plain.replace('<< /Length 0 >>\nstream\n', () => stream),
    'latin1',
  );
}

test('G42: a small PDF that unfolds without end is ended at its limit of memory', async () => {
  await put('unfolding.pdf', unfoldingPdf(900));
  const before = process.memoryUsage().rss;
  let most = before;
  const look = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 20);
  const result = await read('unfolding.pdf');
  clearInterval(look);
  assert.equal(result.error?.code, 'unreadable');
  assert.match(textOf(result), /could not be read in 20 s and 512 MB/);
  assert.ok(most - before < 1.5e9, `it held ${most - before} bytes`);
});

test('G42: a stop ends the reading of a PDF, and its thread', async () => {
  await put('long.pdf', pdfOf(Array.from({ length: 3_000 }, (_, index) => `Page number ${index}`)));
  const abort = new AbortController();
  const begun = bench.run('read_file', { path: 'long.pdf' }, { abort });
  setTimeout(() => abort.abort({ kind: 'cancelled' }), 50);
  assert.equal((await begun).status, 'cancelled');
});
