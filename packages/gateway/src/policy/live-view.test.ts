import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayBeWatched } from './live-view.ts';
import { type Policy, policySchema } from './policy.ts';

const ROOM = '/home/ada/project';
const OTHER = '/home/ada/secret';

test('W25: browser.live decides, a rule against pictures forbids, and without a word a machine that trusts its server is watched', () => {
  const screenshot = (action: 'allow' | 'ask' | 'deny', more: object = {}) => ({ rules: [{ action, tool: 'browser_screenshot', ...more }] });
  const table: [object, boolean][] = [
    [{}, true],
    [{ browser: {} }, true],
    [{ browser: { live: true } }, true],
    [{ browser: { live: false } }, false],
    [{ requireLocalApproval: true }, false],
    [{ requireLocalApproval: true, browser: { live: true } }, true],
    [{ default: 'ask' }, false],
    [{ default: 'ask', browser: { live: true } }, true],
    [{ default: 'deny' }, false],
    [{ default: 'deny', browser: { live: true } }, false],
    [{ default: 'ask', rules: [{ action: 'allow', effect: 'read' }] }, true],
    [screenshot('ask'), false],
    [screenshot('deny'), false],
    [{ ...screenshot('deny'), browser: { live: true } }, false],
    [screenshot('deny', { workspace: OTHER }), false],
    [{ rules: [{ action: 'deny', tool: 'browser_*' }] }, false],
    [{ rules: [{ action: 'deny', tool: 'bash' }] }, true],
  ];
  for (const [policy, may] of table) {
    const checked = policySchema.parse({ version: 1, rules: [], ...policy }) as Policy;
    assert.equal(mayBeWatched(checked, [ROOM, OTHER]), may, JSON.stringify(policy));
  }
});

test('W25: a word that is mistyped makes the file a broken one, and nothing is shown then', () => {
  for (const browser of [{ life: false }, { live: 'no' }, true]) assert.equal(policySchema.safeParse({ version: 1, rules: [], browser }).success, false);
});
