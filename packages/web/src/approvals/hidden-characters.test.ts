import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countHidden, visibleSegments, visibleText } from './hidden-characters.ts';

test('U10: plain text, newlines, tabs, accents and emoji stay as they are', () => {
  for (const text of ['ls -la\n\techo “héllo”', 'مرحبا', '日本語', '👍🏽 ❤️', '']) {
    assert.equal(countHidden(text), 0, JSON.stringify(text));
    assert.equal(visibleText(text), text);
  }
});

test('U10: characters that hide or reorder text are named by code point', () => {
  const cases: [string, string][] = [
    ['rm \u202etxt.exe', 'rm ⟨U+202E⟩txt.exe'],
    ['a\u200bb', 'a⟨U+200B⟩b'],
    ['a\u0000b\u001b[2Jc\rd', 'a⟨U+0000⟩b⟨U+001B⟩[2Jc⟨U+000D⟩d'],
    ['a\u00a0b\u3000c', 'a⟨U+00A0⟩b⟨U+3000⟩c'],
    ['tag\u{e0041}', 'tag⟨U+E0041⟩'],
    ['selector\u{e0101}', 'selector⟨U+E0101⟩'],
    ['nothing\u{e0002}\ufff0', 'nothing⟨U+E0002⟩⟨U+FFF0⟩'],
    ['line\u2028end', 'line⟨U+2028⟩end'],
    ['blank\u2800\u3164', 'blank⟨U+2800⟩⟨U+3164⟩'],
    ['half\ud800', 'half⟨U+D800⟩'],
  ];
  for (const [text, shown] of cases) assert.equal(visibleText(text), shown);
});

test('U10: known marks carry a name for readers and screen readers', () => {
  assert.deepEqual(visibleSegments('a\u202e'), [
    { kind: 'text', text: 'a' },
    { kind: 'mark', label: 'U+202E', name: 'right-to-left override' },
  ]);
});
