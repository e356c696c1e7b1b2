import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, Gateway } from '@tendon/protocol';
import { localApprovalWarning, needsLocalApproval } from './local-approval.ts';

const attic = { id: '0199c0de-0000-7000-8000-00000000aaaa', name: 'attic', localApprovalOnly: true };
const command = { kind: 'local', effect: 'execute' } as const;
const NOT_MEANT: readonly [string, Pick<Call, 'kind' | 'effect'>, Pick<Gateway, 'id' | 'name' | 'localApprovalOnly'> | undefined][] = [
  ['a call that only reads', { kind: 'local', effect: 'read' }, attic],
  ['a call on the server', { kind: 'remote', effect: 'execute' }, attic],
  ['a machine that takes approvals from anywhere', command, { id: attic.id, name: 'attic' }],
  ['a machine that is not known', command, undefined],
];

test('L10: where an approval counts is said of a machine that takes none from elsewhere', () => {
  assert.ok(needsLocalApproval(command, attic));
  assert.match(String(localApprovalWarning(command, attic)), /^attic runs only what is approved on its own page.+tendon desktop.+will not be run\.$/);
  assert.match(String(localApprovalWarning(command, attic, '0199c0de-0000-7000-8000-00000000bbbb')), /^attic runs only/);
});

test('L10: on its own page nothing is said, though no rule counts there either', () => {
  assert.equal(localApprovalWarning(command, attic, attic.id), undefined);
  assert.ok(needsLocalApproval(command, attic));
});

for (const [title, call, gateway] of NOT_MEANT) {
  test(`L10: nothing is said of ${title}`, () => {
    assert.equal(needsLocalApproval(call, gateway), false);
    assert.equal(localApprovalWarning(call, gateway), undefined);
  });
}
