import assert from 'node:assert/strict';
import { test } from 'node:test';
import { day } from '../ui/day.ts';
import { keyFacts, labelOf, type Provider } from './provider-text.ts';

const openai: Provider = { provider: 'openai', variables: ['OPENAI_API_KEY'], isFromEnvironment: false };
const setAt = '2026-11-28T12:00:00.000Z';

test('U36: a provider’s line says where its key comes from, and of a stored one its end, when and by whom', () => {
  const rows: readonly [Provider, readonly string[]][] = [
    [openai, ['No key yet']],
    [{ ...openai, provider: 'compatible' }, ['No address yet']],
    [{ ...openai, isFromEnvironment: true }, ['Set by the environment (OPENAI_API_KEY): it cannot be changed here']],
    [{ ...openai, stored: { setAt, setBy: 'Ada', lastCharacters: 'wxyz' } }, ['Key ••••wxyz', `Set ${day(setAt)} by Ada`]],
    [{ ...openai, stored: { setAt, lastCharacters: '' } }, ['Key ••••', `Set ${day(setAt)}`]],
    [{ ...openai, stored: { setAt, setBy: 'Ada', fault: 'it was changed' } }, [`Set ${day(setAt)} by Ada`]],
    [
      { ...openai, provider: 'compatible', stored: { setAt, url: 'http://127.0.0.1:8000/v1' } },
      ['http://127.0.0.1:8000/v1', 'Without a key', `Set ${day(setAt)}`],
    ],
    [
      { ...openai, isFromEnvironment: true, stored: { setAt, lastCharacters: 'wxyz' } },
      ['Set by the environment (OPENAI_API_KEY): it cannot be changed here', 'A stored key is not used'],
    ],
  ];
  for (const [provider, expected] of rows) assert.deepEqual(keyFacts(provider), expected);
});

test('U36: a provider of a newer server stands under its own name', () => {
  assert.deepEqual(['anthropic', 'something-new', 'constructor'].map(labelOf), ['Anthropic', 'something-new', 'constructor']);
});
