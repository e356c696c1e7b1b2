import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decisionText } from './decision-text.ts';

const at = '2026-11-22T10:00:00Z';

test('U13: a decision says what, how far, and from which device', () => {
  assert.equal(decisionText({ by: 'u', decision: 'approve', scope: 'once', via: 'Chrome on Linux', at }), 'Approved, from Chrome on Linux');
  assert.equal(decisionText({ by: 'u', decision: 'approve', scope: 'session', at }), 'Approved for this session');
  assert.equal(decisionText({ by: 'u', decision: 'deny', scope: 'once', via: 'tendon chat', at }), 'Denied, from tendon chat');
  assert.equal(decisionText({ by: 'policy', decision: 'approve', scope: 'once', at }), 'Allowed by policy');
});
