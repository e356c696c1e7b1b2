import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failedResult, textResult, toolResultSchema } from './tool-result.ts';

test('P11: a text result has the shape of MCP content', () => {
  assert.deepEqual(textResult('succeeded', 'done'), { status: 'succeeded', content: [{ type: 'text', text: 'done' }] });
  assert.deepEqual(toolResultSchema.parse(textResult('cancelled', '', { exitCode: 1 })), {
    status: 'cancelled',
    content: [{ type: 'text', text: '' }],
    meta: { exitCode: 1 },
  });
});

test('P11: a failed result tells model and person the same', () => {
  const result = toolResultSchema.parse(failedResult('not_found', 'There is no file a.txt.', { durationMs: 1 }));
  assert.deepEqual(result, {
    status: 'failed',
    content: [{ type: 'text', text: 'There is no file a.txt.' }],
    error: { code: 'not_found', message: 'There is no file a.txt.' },
    meta: { durationMs: 1 },
  });
  assert.ok(!('meta' in failedResult('a', 'b')));
});

test('P11: of a message that is too long for the error of a result the beginning stands there, with a sign, and all of it in the content', () => {
  for (const message of ['x'.repeat(10_001), '\u{1F98A}'.repeat(10_000), `x${'\u{1F98A}'.repeat(10_000)}`]) {
    const result = toolResultSchema.parse(failedResult('c'.repeat(200), message));
    const said = result.error?.message ?? '';
    assert.ok(said.endsWith(' [… cut here]') && said.isWellFormed() && message.startsWith(said.slice(0, 9_000)));
    assert.deepEqual(result.content, [{ type: 'text', text: message }]);
  }
  assert.equal(failedResult('c', 'x'.repeat(10_000)).error?.message, 'x'.repeat(10_000));
});
