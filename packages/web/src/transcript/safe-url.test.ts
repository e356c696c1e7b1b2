import assert from 'node:assert/strict';
import { test } from 'node:test';
import { safeImage, safeLink } from './safe-url.ts';

test('U21: links lead to http, https and mail only', () => {
  assert.equal(safeLink('https://example.com/a?b#c'), 'https://example.com/a?b#c');
  assert.equal(safeLink('mailto:me@example.com'), 'mailto:me@example.com');
  for (const href of [
    'javascript:alert(1)',
    ' JaVaScRiPt:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://example.com/x',
    '/relative',
    '#here',
    'https://user:word@example.com',
    'https://bank.example@evil.example/',
    'http://',
    '',
    undefined,
  ]) {
    assert.equal(safeLink(href), undefined, String(href));
  }
});

test('U21: images from other hosts are not loaded', () => {
  assert.equal(safeImage('https://example.com/pixel.png'), undefined);
  assert.equal(safeImage('//example.com/pixel.png'), undefined);
  assert.equal(safeImage('/local.png'), undefined);
  assert.equal(safeImage('data:image/svg+xml;base64,AAAA'), undefined);
  assert.equal(safeImage('data:text/html;base64,AAAA'), undefined);
  assert.equal(safeImage('data:image/png;base64,iVBORw0KGgo='), 'data:image/png;base64,iVBORw0KGgo=');
});
