import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gateway } from '@tendon/protocol';
import { sandboxWarning, sandboxWords } from './sandbox-words.ts';

type Sandbox = Gateway['sandbox'];
const none = { kind: 'none', reason: 'bubblewrap is not installed' };
const ROWS: readonly [string, Sandbox, RegExp, RegExp | undefined][] = [
  ['that is not known', undefined, /^Not known/, undefined],
  ['that is there', { kind: 'bubblewrap' }, /in a sandbox \(bubblewrap\)/, undefined],
  ['of a kind that this page does not know', { kind: 'another' }, /in a sandbox \(another\)/, undefined],
  [
    'that is missing',
    none,
    /^None: bubblewrap is not installed\. Commands can do all/,
    /^Runs without a sandbox on this machine \(bubblewrap is not installed\)/,
  ],
  ['that is missing without a reason', { kind: 'none' }, /^None\. Commands/, /^Runs without a sandbox on this machine: it can/],
  ['that is missing and required', { ...none, isRequired: true }, /so it runs no command/, /it will refuse this/],
];

for (const [title, sandbox, words, warning] of ROWS) {
  test(`U8: a sandbox ${title} is told of the machine and before a command`, () => {
    const gateway = sandbox === undefined ? {} : { sandbox };
    assert.match(sandboxWords(gateway), words);
    const said = sandboxWarning({ tool: 'bash', kind: 'local' }, gateway);
    if (warning === undefined) assert.equal(said, undefined);
    else assert.match(String(said), warning);
    assert.equal(sandboxWarning({ tool: 'write_file', kind: 'local' }, gateway), undefined);
    assert.equal(sandboxWarning({ tool: 'bash', kind: 'remote' }, gateway), undefined);
  });
}

test('U8: without a machine nothing is said of its sandbox', () => assert.equal(sandboxWarning({ tool: 'bash', kind: 'local' }, undefined), undefined));
