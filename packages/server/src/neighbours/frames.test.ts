import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameReader, FrameWriter } from './frames.ts';

const SELF = 'node-a';
const OTHER = 'node-b';

function readAll(frames: readonly string[], reader = new FrameReader(SELF)): { texts: unknown[]; missed: number } {
  const read = frames.map((frame) => reader.read(frame));
  return { texts: read.flatMap(({ text }) => (text === undefined ? [] : [JSON.parse(text)])), missed: read.filter(({ missed }) => missed).length };
}

test('N8: any text comes out as it went in, in frames of ASCII that PostgreSQL takes', () => {
  const writer = new FrameWriter(OTHER);
  const texts = ['', 'short', 'ü€😀'.repeat(9_000), '\ud800 alone', '\u0000', 'a'.repeat(7_900), 'a'.repeat(7_898), 'b'.repeat(200_000)];
  const frames = texts.flatMap((text) => writer.frames(JSON.stringify(text)));
  for (const frame of frames) {
    assert.match(frame, /^[\u0020-\u007e]*$/);
    assert.ok(frame.length < 8_000, `${frame.length}`);
  }
  assert.deepEqual(readAll(frames), { texts, missed: 0 });
});

test('N8: a text that lost one of its frames does not arrive, the loss is told, and the next one arrives', () => {
  const writer = new FrameWriter(OTHER);
  const long = writer.frames(JSON.stringify('x'.repeat(30_000)));
  const next = writer.frames(JSON.stringify('next'));
  for (let lost = 0; lost < long.length; lost += 1) {
    const reader = new FrameReader(SELF);
    for (const frame of long.slice(0, lost)) reader.read(frame);
    assert.deepEqual(
      readAll([...long.slice(lost + 1), ...next], reader),
      { texts: ['next'], missed: lost === 0 ? 0 : 1 },
      `without frame ${lost}; who has heard nothing of a sender cannot miss its first`,
    );
  }
});

test('N8: what was skipped is missed, equal frames stay two, and senders do not mix', () => {
  const [writer, third] = [new FrameWriter(OTHER), new FrameWriter('node-c')];
  const reader = new FrameReader(SELF);
  assert.deepEqual(readAll([...writer.frames('"same"'), ...writer.frames('"same"')], reader), { texts: ['same', 'same'], missed: 0 });
  writer.skip();
  assert.deepEqual(readAll(writer.frames('"after"'), reader), { texts: ['after'], missed: 1 });
  const [one = '', two = ''] = writer.frames(JSON.stringify('y'.repeat(10_000)));
  assert.deepEqual(readAll([one, ...third.frames('"between"'), two], reader).texts, ['between', 'y'.repeat(10_000)]);
});

test('N8: own frames and what is no frame are nothing', () => {
  const reader = new FrameReader(SELF);
  for (const frame of [...new FrameWriter(SELF).frames('"mine"'), '', 'nonsense', `${OTHER} x =text`]) assert.deepEqual(reader.read(frame), { missed: false });
});

test('N8: senders that have ended are forgotten, whatever they left half said', () => {
  const reader = new FrameReader(SELF);
  const halfSaid = new FrameWriter(OTHER).frames(JSON.stringify('z'.repeat(10_000)));
  reader.read(halfSaid[0] ?? '');
  for (let index = 0; index < 100; index += 1) reader.read(new FrameWriter(`later-${index}`).frames('"x"')[0] ?? '');
  assert.deepEqual(reader.read(halfSaid[1] ?? ''), { missed: false }, 'its beginning is gone');
});
