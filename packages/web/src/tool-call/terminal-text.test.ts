import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanTerminalText, lastLines, terminalSpans } from './terminal-text.ts';

test('U16: colours and styles of the output are kept', () => {
  const spans = terminalSpans('a \u001b[1;31mred\u001b[0m \u001b[38;2;1;2;3mtrue\u001b[0m \u001b[38;5;196mcube\u001b[0m \u001b[92mbright\u001b[0m');
  assert.deepEqual(
    spans.filter((span) => span.text.trim() !== ''),
    [
      { text: 'a ' },
      { text: 'red', foreground: '1', isBold: true },
      { text: 'true', foreground: '1, 2, 3' },
      { text: 'cube', foreground: '255, 0, 0' },
      { text: 'bright', foreground: '2' },
    ],
  );
});

test('U16: cursor moves, titles, links and clipboard writes are taken out', () => {
  assert.equal(cleanTerminalText('\u001b[2J\u001b[Ha\u001b]0;evil title\u0007b\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\\u001b]52;c;AAAA'), 'ablink');
  assert.equal(cleanTerminalText('\u001b(Ba\u001b[?25lb\u001b[>4mc\u001b7'), 'abc');
});

test('U16: other control characters and bidi overrides are shown, not obeyed', () => {
  assert.equal(cleanTerminalText('a\u0000b\u0007c\u007fd\u202ee\u009bf'), 'a␀b␇c␡d\ufffde\ufffdf');
  assert.equal(
    terminalSpans('x\u001b')
      .map((span) => span.text)
      .join(''),
    'x',
  );
});

test('U16: a progress bar shows its last state, a backspace takes one character', () => {
  assert.equal(cleanTerminalText('10%\r50%\r100%\ndone\r\n'), '100%\ndone\n');
  assert.equal(cleanTerminalText('working\r'), 'working');
  assert.equal(cleanTerminalText('abc\b\bX'), 'aX');
});

test('U16: markup in output stays text', () => {
  assert.deepEqual(terminalSpans('<img src=x onerror=alert(1)>'), [{ text: '<img src=x onerror=alert(1)>' }]);
  assert.equal(terminalSpans('\u001b[31m<b>&amp;</b>\u001b[0m')[0]?.text, '<b>&amp;</b>');
});

test('U17: the last lines come first, and the rest is counted', () => {
  assert.deepEqual(lastLines('a\nb\nc\nd\n', 2), { text: 'c\nd', hiddenLines: 2 });
  assert.deepEqual(lastLines('a\nb', 2), { text: 'a\nb', hiddenLines: 0 });
  assert.deepEqual(lastLines('', 5), { text: '', hiddenLines: 0 });
  assert.deepEqual(lastLines('\n\nx', 1), { text: 'x', hiddenLines: 2 });
  assert.deepEqual(lastLines('\na', 2), { text: '\na', hiddenLines: 0 });
});
