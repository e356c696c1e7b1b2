import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, type ToolResult, textResult, toolResultSchema, utf8Bytes } from '@tendon/protocol';
import fc from 'fast-check';
import { cutMiddle, fitResult } from './truncation.ts';

test('G30: any result fits the limit afterwards and still has the protocol’s shape', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 50 }),
    fc.constantFrom('\0\ud800', '"\\\n'.repeat(300_000), '\u{1F98A}'.repeat(400_000), 'x'.repeat(2_000_000)),
  );
  const details = fc.check(
    fc.property(fc.array(text, { maxLength: 4 }), fc.option(text, { nil: undefined }), (texts, diff) => {
      const result: ToolResult = {
        status: 'succeeded',
        content: texts.map((one) => ({ type: 'text', text: one })),
        meta: { exitCode: 0, ...(diff === undefined ? {} : { diff }) },
      };
      const fitted = fitResult(result);
      assert.ok(utf8Bytes(JSON.stringify(fitted)) <= LIMITS.toolResultBytes);
      assert.ok(toolResultSchema.safeParse(fitted).success);
      const words = JSON.stringify(fitted);
      assert.ok(!words.includes('\\u0000') && words.isWellFormed());
      assert.equal(fitted.meta?.exitCode, 0);
    }),
    { numRuns: 25 },
  );
  assert.ok(!details.failed, `seed ${details.seed}: ${String(details.errorInstance)}`);
});

test('G30: what is left out is counted, and pictures over the limit are named', () => {
  const cut = fitResult(textResult('succeeded', 'x'.repeat(3_000_000)));
  assert.ok((cut.meta?.truncatedBytes ?? 0) > 1_900_000);
  const picture = fitResult({ status: 'succeeded', content: [{ type: 'image', data: 'A'.repeat(2_000_000), mimeType: 'image/png' }] });
  assert.match(JSON.stringify(picture.content), /image of \d+ bytes was left out/);
  assert.deepEqual(fitResult(textResult('succeeded', 'short')), textResult('succeeded', 'short'));
});

test('G30: a cut never splits a character', () => {
  for (let limit = 2; limit < 40; limit += 1) assert.ok(cutMiddle('\u{1F98A}'.repeat(50), limit).text.isWellFormed());
});

test('G30: pieces that are too many for a result, and words that are too long for its error, are cut with a sign and counted', () => {
  const piece = { type: 'text', text: 'x' } as const;
  const result: ToolResult = { status: 'failed', content: Array(5_000).fill(piece), error: { code: 'c'.repeat(101), message: 'x'.repeat(20_000) } };
  const fitted = toolResultSchema.parse(fitResult(result));
  assert.equal(fitted.content.length, 1_000);
  assert.deepEqual(fitted.content.at(-1), { type: 'text', text: '[4001 further pieces were left out.]' });
  assert.equal(fitted.meta?.truncatedBytes, utf8Bytes(JSON.stringify(Array(4_001).fill(piece))));
  assert.match(fitted.error?.message ?? '', /^x+ \[… cut here\]$/);
  const whole: ToolResult = { status: 'succeeded', content: Array(1_000).fill(piece) };
  assert.deepEqual(fitResult(whole), whole);
});
