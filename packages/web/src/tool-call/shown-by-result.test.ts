import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, ToolMeta } from '@tendon/protocol';
import { isShownByResult } from './shown-by-result.ts';

function done(tool: string, input: unknown, meta: ToolMeta): Call {
  const ids = { id: 'c', sessionId: 's', messageId: 'm', inputHash: 'h', createdAt: '2026-11-22T10:00:00Z' };
  return { ...ids, tool, input, kind: 'local', effect: 'write', state: 'succeeded', result: { status: 'succeeded', content: [], meta } };
}

const diff = '--- a/a\n+++ b/a\n@@ -0,0 +1,2 @@\n+one\n+two\n';

test('U15: a new file is shown once, by its diff, and one that was replaced with its whole content', () => {
  const write = { path: 'a', content: 'one\ntwo\n' };
  assert.ok(isShownByResult(done('write_file', write, { diff, added: 2, removed: 0 })));
  assert.ok(isShownByResult(done('write_file', { path: 'a', content: 'one\ntwo' }, { diff, added: 2, removed: 0 })));
  assert.ok(!isShownByResult(done('write_file', write, { diff, added: 1, removed: 0 })), 'a line was there before');
  assert.ok(!isShownByResult(done('write_file', write, { diff, added: 2, removed: 3 })));
  assert.ok(!isShownByResult(done('write_file', write, { added: 2, removed: 0 })), 'a diff that was too long is not there');
  assert.ok(!isShownByResult(done('write_file', { path: 'a', content: '' }, { diff: '--- a/a\n+++ b/a\n', added: 0, removed: 0 })));
  assert.ok(isShownByResult(done('edit_file', {}, { diff, added: 1, removed: 1 })));
  assert.ok(!isShownByResult(done('bash', { command: 'ls' }, { diff })));
});
