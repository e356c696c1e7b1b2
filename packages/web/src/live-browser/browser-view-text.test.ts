import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BrowserView } from '@tendon/client';
import { browserViewText, pictureText } from './browser-view-text.ts';

test('U38: whatever keeps the picture away is said, with what to do about it', () => {
  const error = { code: 'conflict', message: 'Stop watching one of them.' };
  const views: BrowserView[] = [
    ...(['off', 'offline', 'starting', 'no_page', 'refused', 'away', 'silent'] as const).map((kind) => ({ kind })),
    { kind: 'failed', error },
  ];
  for (const view of views) {
    for (const machine of ['laptop', undefined]) {
      const text = browserViewText(view, machine);
      assert.ok(text && text.title !== '' && text.hint.length > 10, view.kind);
      assert.doesNotMatch(`${text.title} ${text.hint}`, /undefined/);
    }
  }
  assert.match(browserViewText({ kind: 'refused' }, 'laptop')?.hint ?? '', /"browser": \{ "live": true \}/);
  assert.equal(browserViewText({ kind: 'failed', error }, 'laptop')?.hint, error.message);
  assert.equal(browserViewText({ kind: 'away' }, 'laptop')?.title, 'laptop is offline');
});

test('U10, U38: a picture is named by title and address, with marks for what hides, and shortly', () => {
  assert.equal(pictureText({ title: 'Orders', url: 'https://example.org/' }), 'The agent’s browser: Orders, https://example.org/');
  assert.match(pictureText({ title: '', url: 'about:blank' }), /a page without a title, about:blank/);
  assert.match(pictureText({ title: 'safe\u202eexe', url: 'x' }), /safe⟨U\+202E⟩exe/);
  assert.ok(pictureText({ title: '\u{1F98A}'.repeat(1_000), url: 'y'.repeat(5_000) }).length < 700);
});
