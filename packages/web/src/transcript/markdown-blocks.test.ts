import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { splitBlocks, wholeOrBlocks } from './markdown-blocks.ts';

test('U20: paragraphs, headings and fences are blocks of their own', () => {
  const text = '# Title\n\nOne.\n\n```ts\na\n\nb\n```\n\nTwo.';
  assert.deepEqual(splitBlocks(text).blocks, ['# Title\n\n', 'One.\n\n', '```ts\na\n\nb\n```\n\n', 'Two.']);
});

test('U20: a loose list, its indented text and a longer fence stay whole', () => {
  assert.deepEqual(splitBlocks('1. a\n\n2. b\n\n   more\n\nend').blocks, ['1. a\n\n2. b\n\n   more\n\n', 'end']);
  assert.deepEqual(splitBlocks('````md\n```\n\nx\n```\n````\n\nend').blocks, ['````md\n```\n\nx\n```\n````\n\n', 'end']);
});

test('U20: definitions keep a finished message in one piece', () => {
  assert.equal(wholeOrBlocks('see [a]\n\nmore\n\n[a]: https://example.com').length, 1);
  assert.equal(wholeOrBlocks('see\n\nmore').length, 2);
});

test('U20: however a text grows, its blocks are those of the whole, finished ones keep their identity', () => {
  const piece = fc.constantFrom('word ', '\n', '\n\n', '```\n', '~~~\n', '- item\n', '1. one\n', '  indented\n', '# h\n', '| a | b |\n', '> q\n');
  const seed = Date.now() % 1_000_000;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      let text = '';
      let split = splitBlocks('');
      for (const part of pieces) {
        text += part;
        split = splitBlocks(text, split);
        assert.equal(split.blocks.join(''), text);
      }
      assert.deepEqual(split.blocks, splitBlocks(text).blocks);
    }),
    { seed, numRuns: 300 },
  );
});
