import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditText } from './audit-words.ts';

test('A12: an entry reads as a sentence, also when its action is not known yet', () => {
  assert.equal(auditText({ action: 'signed_in', about: 'password' }), 'signed in (password)');
  assert.equal(auditText({ action: 'role_changed', about: 'owner', aboutPerson: { name: 'Ada' } }), 'changed the role (owner): Ada');
  assert.equal(auditText({ action: 'person_kept_out', aboutPerson: { name: 'Ada' } }), 'kept somebody out: Ada');
  assert.equal(auditText({ action: 'rule_stored', about: 'bash: npm test in /work' }), 'allowed for the future, without being asked (bash: npm test in /work)');
  assert.equal(auditText({ action: 'rule_revoked', about: 'bash: ls' }), 'took back what was allowed (bash: ls)');
  assert.equal(auditText({ action: 'provider_key_set', about: 'openai' }), 'set the key of a model provider (openai)');
  assert.equal(auditText({ action: 'something_new' }), 'something new');
  assert.equal(auditText({ action: 'constructor' }), 'constructor');
});
