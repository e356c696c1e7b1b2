import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildRegistry } from '../tools/registry.ts';
import { textOf } from '../tools/tool-bench-rig.ts';
import { openPages } from './page-rig.ts';

const PAGE = '<title>Page</title>';

test('W3: an input of a wrong shape is refused with the field that is wrong', () => {
  const registry = buildRegistry();
  const table: [string, unknown][] = [
    ...[{}, { url: '' }, { url: 7 }, { url: 'x'.repeat(9_000) }, { link: 'https://example.org' }].map((input): [string, unknown] => [
      'browser_navigate',
      input,
    ]),
    ...[{}, { ref: '' }, { ref: '#id' }, { ref: 'e' }, { ref: 12 }, { ref: 'e1', button: 'middel' }].map((input): [string, unknown] => [
      'browser_click',
      input,
    ]),
    ...[{ ref: 'e1' }, { text: 'a' }, { ref: 'e1', text: 1 }, { ref: 'button "Save"', text: 'a' }].map((input): [string, unknown] => ['browser_fill', input]),
    ...[{}, { text: '' }, { text: 'a', ref: 'x' }, { text: 'x'.repeat(6_000) }].map((input): [string, unknown] => ['browser_type', input]),
    ...[{ ref: 'e1' }, { ref: 'e1', values: 'a' }, { ref: 'e1', values: [1] }, { values: [] }].map((input): [string, unknown] => ['browser_select', input]),
    ...[{}, { key: '' }, { key: 3 }].map((input): [string, unknown] => ['browser_press', input]),
    ...[{ direction: 'left' }, { ref: '' }, { direction: 1 }].map((input): [string, unknown] => ['browser_scroll', input]),
    ...[{ ms: 0 }, { ms: 1e9 }, { text: '' }, { ms: '5' }].map((input): [string, unknown] => ['browser_wait', input]),
    ...[{ fullPage: 'yes' }, { ref: 'page' }].map((input): [string, unknown] => ['browser_screenshot', input]),
    ...[{}, { action: 'open' }, { action: 'select', index: -1 }, { action: 'select', index: 'a' }].map((input): [string, unknown] => ['browser_tabs', input]),
    ...[{ fromLine: 0 }, { fromLine: 'a' }].map((input): [string, unknown] => ['browser_snapshot', input]),
    ...[{ offset: -1 }, { ref: 'h1' }].map((input): [string, unknown] => ['browser_extract', input]),
    ...[{ ref: 'e1' }, { ref: 'e1', paths: [] }, { ref: 'e1', paths: [''] }, { paths: ['a'] }].map((input): [string, unknown] => ['browser_upload', input]),
    ...[{}, { ref: 'e1', path: '' }].map((input): [string, unknown] => ['browser_download', input]),
  ];
  for (const [tool, input] of table) {
    const prepared = registry.prepare(tool, input);
    assert.ok(!prepared.ok && prepared.code === 'invalid_input', `${tool} ${JSON.stringify(input)?.slice(0, 80)}`);
    assert.match(prepared.message, new RegExp(`^The input of ${tool} is wrong: \\w+.*: .`));
  }
});

test('W3: without a page, every tool that needs one says how to open one', async () => {
  await using rig = await openPages({});
  const table: [string, unknown][] = [
    ...[
      ['browser_snapshot', {}],
      ['browser_click', { ref: 'e1' }],
      ['browser_fill', { ref: 'e1', text: 'a' }],
      ['browser_type', { text: 'a' }],
    ].map(pair),
    ...[
      ['browser_select', { ref: 'e1', values: [] }],
      ['browser_press', { key: 'Enter' }],
      ['browser_hover', { ref: 'e1' }],
      ['browser_scroll', {}],
    ].map(pair),
    ...[
      ['browser_wait', { ms: 1 }],
      ['browser_screenshot', {}],
      ['browser_tabs', { action: 'list' }],
      ['browser_extract', {}],
    ].map(pair),
    ...[
      ['browser_download', { ref: 'e1' }],
      ['browser_navigate', { url: 'reload' }],
    ].map(pair),
  ];
  for (const [tool, input] of table) {
    const result = await rig.run(tool, input);
    assert.deepEqual([result.error?.code, /browser_navigate/.test(textOf(result))], ['no_page', true], tool);
  }
  assert.equal(rig.bench.browser.process, undefined, 'and none of them starts a browser');
});

function pair([tool, input]: (string | object)[]): [string, unknown] {
  return [String(tool), input];
}

test('W13: only whole addresses of the web are opened', async () => {
  await using rig = await openPages({ '/': PAGE });
  const refused = [
    'file:///etc/passwd',
    'FILE:///etc/passwd',
    ' file:/etc/passwd',
    'view-source:http://example.org',
    'chrome://settings',
    'chrome://crash',
    'devtools://x',
  ];
  const more = [
    'javascript:alert(1)',
    'data:text/html,<p>x',
    'blob:http://x/1',
    'about:blank',
    'ftp://example.org/',
    'ws://example.org/',
    'mailto:a@b',
    'java\nscript:alert(1)',
  ];
  for (const url of [...refused, ...more]) {
    const result = await rig.run('browser_navigate', { url });
    assert.deepEqual([result.error?.code, /https:\/\//.test(textOf(result))], ['scheme_refused', true], url);
  }
  for (const url of [
    'example.org',
    'www.example.org/a b',
    'localhost:3000',
    '/etc/passwd',
    'http://',
    'https://?',
    '//example.org',
    'not an address',
    'http://user:pw@example.org/',
    'http://a b/',
  ])
    assert.equal((await rig.run('browser_navigate', { url })).error?.code, 'invalid_url', url);
  assert.equal(rig.bench.browser.process, undefined, 'and none of them starts a browser');
});
