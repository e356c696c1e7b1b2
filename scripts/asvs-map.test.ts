import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Known, mapFaults, nameFaults, unrelatedFaults } from './asvs-map.ts';
import { ASVS, type Requirement } from './asvs-numbers.ts';
import { readCitations, readFamilies } from './spec.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The tree as it is. */
const tree: Known = {
  rules: new Set(readFamilies().flatMap(({ rules }) => rules.map(({ id }) => id))),
  rulesOf(pattern) {
    const files = globSync(pattern, { cwd: root });
    const tests = files.filter((file) => /\.[jt]sx?$/.test(file));
    return files.length === 0 ? undefined : readCitations(tests).map(({ id }) => id);
  },
  headingsOf: (page) => (existsSync(join(root, page)) ? [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading) : undefined),
};

describe('what is wrong is named', () => {
  const requirements: Requirement[] = ['1.1.1', '1.1.2', '1.1.3', '1.2.1', '1.2.2'].map((number) => ({ number, isLevelThree: number === '1.2.2' }));
  const known: Known = {
    rules: new Set(['A1', 'A2']),
    rulesOf: (file) => ({ 'tests/a.test.ts': ['A1'] })[file],
    headingsOf: (page) => (page === 'docs/a.md' ? ['Here'] : undefined),
  };
  const faultsOf = (...rows: string[]) =>
    mapFaults(['## ASVS 5.0', '', '| number | met | by | rules |', '|---|---|---|---|', ...rows, '', '## Else'].join('\n'), known, requirements);

  test('a map with every number, once, on good grounds has no fault', () => {
    const rows = ['| 1.1.1 to 1.1.3 | yes | so (docs/a.md, *Here*) | A1, `tests/a.test.ts` |', '| 1.2.1 | – | nothing like it | |'];
    assert.deepEqual(faultsOf(...rows), []);
    assert.deepEqual(faultsOf(...rows, '| 1.2.2 | no | not yet | |'), [], 'one of level 3 may stand there');
  });

  for (const [title, rows, faults] of [
    ['a number is missing', ['| 1.1.1, 1.1.3, 1.2.1 | no | | |'], ['1.1.2 has no row']],
    ['a number stands twice', ['| 1.1.1 to 1.2.1 | no | | |', '| 1.1.2 | no | | |'], ['1.1.2 stands twice']],
    ['a number is made up', ['| 1.1.1 to 1.2.1 | no | | |', '| 1.9.1 | no | | |'], ['1.9.1 is no number of the standard']],
    [
      'a chapter is one row',
      ['| 1.x | no | | |'],
      ['1.1.1 has no row', '1.1.2 has no row', '1.1.3 has no row', '1.2.1 has no row', '1.x is no number of the standard'],
    ],
    ['a verdict is none', ['| 1.1.1 to 1.2.1 | maybe | | A1 |'], ['1.1.1 to 1.2.1: "maybe" is no verdict']],
    ['nothing tries it', ['| 1.1.1 to 1.2.1 | part | words | |'], ['1.1.1 to 1.2.1 is met by nothing that is tried']],
    ['a rule is gone', ['| 1.1.1 to 1.2.1 | yes | | A1, A3 |'], ['A3 is no rule of SPEC']],
    ['a test is gone', ['| 1.1.1 to 1.2.1 | yes | | `tests/b.test.ts` |'], ['tests/b.test.ts is not there']],
    ['a heading is gone', ['| 1.1.1 to 1.2.1 | yes | (docs/a.md, *There*) | A1 |'], ['docs/a.md has no heading "There"']],
  ] as const)
    test(title, () => assert.deepEqual(faultsOf(...rows), faults));

  test('a test that does not try the rule beside it', () => {
    const list = (...rows: string[]) => ['## Never', '', '| never | test | rule |', '|---|---|---|', ...rows].join('\n');
    assert.deepEqual(unrelatedFaults(list('| x | `tests/a.test.ts` | A1 |'), '## Never', known), []);
    assert.deepEqual(unrelatedFaults(list('| x | `tests/a.test.ts` | A1, A2 |'), '## Never', known), ['"x": `tests/a.test.ts` does not try A2']);
    assert.deepEqual(unrelatedFaults(list('| x | `tests/a.test.ts` | |'), '## Never', known), ['"x" names no rule']);
    assert.equal(unrelatedFaults('', '## Never', known).length, 1);
  });
});

test('the list has as many numbers as the standard: 253 of levels 1 and 2, 92 of level 3', () => {
  assert.deepEqual([ASVS.filter(({ isLevelThree }) => !isLevelThree).length, ASVS.filter(({ isLevelThree }) => isLevelThree).length], [253, 92]);
});

test('the map of the standard has every number of levels 1 and 2, and names nothing that is gone', () => {
  assert.deepEqual(mapFaults(read('docs/asvs.md'), tree), []);
});

test('what is tried against Tendon names nothing that is gone, and what a server may never do is tried where it is said', () => {
  const text = read('docs/security.md');
  assert.deepEqual(nameFaults(text, tree), []);
  assert.deepEqual(unrelatedFaults(text, '## What a server may never make a machine do', tree), []);
});

test('certificates are checked: nothing of ours switches that off', () => {
  const sources = globSync('packages/*/src/**/*.{ts,tsx,js}', { cwd: root }).filter((file) => !/\.test\.|-rig\.|test-kit/.test(file));
  assert.ok(sources.length > 300, String(sources.length));
  assert.deepEqual(
    sources.filter((file) => /rejectUnauthorized|NODE_TLS_REJECT_UNAUTHORIZED|checkServerIdentity/.test(read(file))),
    [],
  );
});
