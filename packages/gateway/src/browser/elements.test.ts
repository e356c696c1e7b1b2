import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headOf, isNamedSo } from './elements.ts';
import { safeName } from './file-tools.ts';

test('W4: a line of the snapshot says what the element of a ref is', () => {
  const tree = '- generic [active] [ref=e1]:\n  - button "Go \\"x\\"" [ref=e2]\n  - link "a [ref=e9]" [ref=e3] [cursor=pointer]:\n  - textbox [ref=f1e4]';
  assert.deepEqual(
    ['e1', 'e2', 'e3', 'f1e4', 'e5'].map((ref) => headOf(tree, ref)),
    ['generic', 'button "Go \\"x\\""', 'link "a [ref=e9]"', 'textbox', undefined],
  );
  assert.equal(headOf(tree, 'e9'), undefined);
});

test('W4: a claim holds when it has the name in it', () => {
  const truly = 'button "Pay  \\"now\\""';
  for (const claim of ['button "Pay \\"now\\""', 'Pay "now"', 'the pay now button', 'PAY NOW']) assert.ok(isNamedSo(truly, claim), claim);
  for (const claim of ['button', 'Cancel', 'Pay', 'now pay', ' ']) assert.ok(!isNamedSo(truly, claim), claim);
  assert.ok(!isNamedSo('button "On"', 'button "Off"'));
  assert.ok(isNamedSo('textbox', 'the textbox'));
  assert.ok(!isNamedSo('textbox', 'button'));
});

test('W7: a name that a page has chosen becomes one harmless file name', () => {
  const table: [string, string][] = [
    ['report.pdf', 'report.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['..\\..\\evil.exe', 'evil.exe'],
    ['.bashrc', 'bashrc'],
    ['...', 'download'],
    ['', 'download'],
    ['a\u202etxt.exe', 'a_txt.exe'],
    ['a\nb\0.txt', 'a_b_.txt'],
    ['na\u00efve \u{1F98A} "q".txt', 'na\u00efve \u{1F98A} _q_.txt'],
    [`${'x'.repeat(300)}.txt`, `${'x'.repeat(80)}.txt`],
    [`${'\u5831'.repeat(90)}.2024${'\u5831'.repeat(30)}`, `${'\u5831'.repeat(60)}.2024${'\u5831'.repeat(15)}`],
    [`x${'\u{1F98A}'.repeat(90)}.txt`, `x${'\u{1F98A}'.repeat(39)}.txt`],
  ];
  for (const [suggested, expected] of table) assert.equal(safeName(suggested), expected, JSON.stringify(suggested));
});
