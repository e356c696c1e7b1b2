import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Policy } from '../policy/policy.ts';
import type { SandboxState } from './bubblewrap.ts';
import { type SandboxSaid, sandboxOf } from './sandbox-said.ts';

const THERE: SandboxState = { kind: 'bubblewrap' };
const MISSING: SandboxState = { kind: 'none', reason: 'bubblewrap is not installed' };
const OFF: SandboxSaid = { kind: 'none', reason: 'its policy file switches it off' };

const ROWS: readonly [string, NonNullable<Policy['sandbox']>['mode'], SandboxState, SandboxSaid][] = [
  ['there, and nothing said about it', undefined, THERE, THERE],
  ['there, and wanted', 'required', THERE, THERE],
  ['there, and switched off', 'off', THERE, OFF],
  ['not there', 'auto', MISSING, MISSING],
  ['not there, and required', 'required', MISSING, { ...MISSING, isRequired: true }],
  ['not there, and switched off', 'off', MISSING, OFF],
];

for (const [title, mode, state, said] of ROWS) {
  test(`G40: the greeting tells of a sandbox that is ${title}`, async () => {
    const policy: Policy = { version: 1, rules: [], ...(mode === undefined ? {} : { sandbox: { mode } }) };
    assert.deepEqual(await sandboxOf({ current: async () => ({ ok: true, policy }) }, async () => state), said);
  });
}

test('G40: with a broken policy file the greeting tells what the machine has', async () => {
  assert.deepEqual(await sandboxOf({ current: async () => ({ ok: false, message: 'broken' }) }, async () => MISSING), MISSING);
});
