import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rule } from '@tendon/protocol';
import { ruleWords } from './rule-change.ts';

const RULE: Rule = { id: '0199c0de-0000-7000-8000-000000000001', tool: 'bash', subject: 'npm test', createdAt: '2026-01-01T00:00:00.000Z' };

test('A12: a rule reads as what it allows, and where', () => {
  assert.equal(ruleWords(RULE, undefined), 'bash: npm test');
  assert.equal(ruleWords({ ...RULE, workspace: '/work' }, 'laptop'), 'bash: npm test in /work on laptop');
  assert.equal(ruleWords({ ...RULE, workspace: '/work', sessionId: RULE.id }, 'laptop'), 'bash: npm test in /work on laptop, in one session only');
});

test('A12: a long command is cut, its length is told, and no character is halved', () => {
  const words = ruleWords({ ...RULE, subject: `${'x'.repeat(299)}😀${'y'.repeat(1_000)}` }, undefined);
  assert.ok(words.length < 350 && words.endsWith('… (1301 characters)'));
  assert.equal(words, words.toWellFormed());
});
