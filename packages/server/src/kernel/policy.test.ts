import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ruleSubject } from '@tendon/protocol';
import { type CallInQuestion, decideCall, type PolicyRule } from './policy.ts';

const CALL: CallInQuestion = { sessionId: 's1', tool: 'bash', effect: 'execute', subject: 'npm test', workspace: '/w', gatewayId: 'g1' };
const RULE: PolicyRule = { id: 'r1', tool: 'bash', subject: 'npm test', workspace: '/w', gatewayId: 'g1' };

test('C3: reading is allowed and everything else asks', () => {
  assert.equal(decideCall({ ...CALL, effect: 'read' }, []).kind, 'allow');
  for (const effect of ['write', 'execute', 'network'] as const) assert.equal(decideCall({ ...CALL, effect }, []).kind, 'ask');
});

test('C4: a rule matches exactly what it was stored for', () => {
  assert.deepEqual(decideCall(CALL, [RULE]), { kind: 'allow', rule: 'r1' });
  const others: Partial<CallInQuestion>[] = [
    { subject: 'npm test; rm -rf .' },
    { subject: 'npm test ' },
    { subject: 'npm' },
    { tool: 'write_file' },
    { workspace: '/other' },
    { workspace: undefined },
    { gatewayId: 'g2' },
  ];
  for (const other of others) assert.equal(decideCall({ ...CALL, ...other }, [RULE]).kind, 'ask', JSON.stringify(other));
});

test('C4: a rule for one session holds in no other', () => {
  const rule = { ...RULE, sessionId: 's1' };
  assert.equal(decideCall(CALL, [rule]).kind, 'allow');
  assert.equal(decideCall({ ...CALL, sessionId: 's2' }, [rule]).kind, 'ask');
});

test('C4: the folder of a command is part of what a rule matches', () => {
  assert.equal(ruleSubject('bash', { command: 'make' }), 'make');
  assert.equal(ruleSubject('bash', { command: 'make', cwd: "it's" }), `cd 'it'\\''s' && make`);
});
