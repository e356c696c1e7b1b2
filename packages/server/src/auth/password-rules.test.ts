import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dictionary } from '@zxcvbn-ts/language-common';
import { passwordFault } from './password-rules.ts';

const ADA = { name: 'Ada Lovelace', email: 'ada.lovelace@analytical.example' };

const TOO_SOON = /among the first to be guessed/;
const KNOWN = /mostly a name or an address/;
const LENGTH = /^Take at (?:least 12|most 128) characters\./;

const REFUSED: readonly (readonly [password: string, why: RegExp])[] = [
  ['', LENGTH],
  ['elevenchars', LENGTH],
  ['x'.repeat(129), LENGTH],
  ['🐎'.repeat(11), LENGTH],
  ...[
    ...['123456789012', '1q2w3e4r5t6y', '1qaz2wsx3edc', 'qwertyuiop12', 'abcdefghijkl', 'football1234', 'zaq12wsxcde3', 'asdfghjklasdf'],
    ...['aaaaaaaaaaaaaaaa', 'abababababababab', '            ', 'passwordpassword', 'trustno1trustno1', 'qwer1234asdf5678'],
    ...['password123456', 'Passwort!!!!!!2026', 'mypassword123', 'P@ssw0rd!P@ss', 'f00tb@ll2024!', '$up3rm@n1978', 'Liverpool!2024', 'Sunshine#2025'],
    ...['januaryfebruary', 'monday tuesday', '20001231 20001231', 'starwars1977!', 'iloveyou forever'],
    `${'1'.repeat(60)}2`,
  ].map((password) => [password, TOO_SOON] as const),
  ...[
    'Ada Lovelace1',
    'adalovelace1815',
    'ada.lovelace@analytical.example',
    'LOVELACE-ADA!',
    'lovelace.analytical',
    'tendon tendon',
    'Tendon-Ada-2026',
    '--tendon!!--99',
  ].map((password) => [password, KNOWN] as const),
  ['4d4l0v3l4c31815', TOO_SOON],
];

const TAKEN = [
  ...['correct horse battery', 'ein langer satz', 'another horse battery', 'wrong horse battery', 'to be or not to be', '🐎🐎🐎 und noch drei andere'],
  ...['kVq8-Zt3m-Wp7x', 'x1y2z3a4b5c6', ';)k#2_Vq!~x{', 'ada drinks tea on mondays', 'хлеб и вино вечером', '正しい馬のバッテリー留め金と青い空'],
];

for (const [password, why] of REFUSED)
  test(`A3: ${JSON.stringify(password.slice(0, 40))} is refused in words that say what would be right`, async () => {
    assert.match(String(await passwordFault(password, ADA)), why);
  });

for (const password of TAKEN)
  test(`A3: ${password} will do`, async () => {
    assert.equal(await passwordFault(password, ADA), undefined);
  });

test('A3: of the 49,000 most common passwords none that is long enough is taken, nor with a year, a mark or a capital', async () => {
  const common = dictionary['passwords-common'].map(String).filter((word) => word.length >= 12);
  assert.ok(common.length >= 300, `${common.length} only`);
  const taken: string[] = [];
  for (const [index, word] of common.entries()) {
    const turned = [word, `${word}2026`, `${word}!`, word[0]?.toUpperCase() + word.slice(1)][index % 4] ?? word;
    for (const password of [word, turned]) if ((await passwordFault(password, ADA)) === undefined) taken.push(password);
  }
  assert.deepEqual(taken, []);
});

test('A3: what follows the first 40 characters costs nothing, and makes none better that is guessed first', async () => {
  const stronger = `${'p@ssw0rd'.repeat(5)} correct horse battery`;
  assert.match(String(await passwordFault(stronger, ADA)), TOO_SOON);
});
