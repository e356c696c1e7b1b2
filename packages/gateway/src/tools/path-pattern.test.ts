import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { pathMatcher } from './path-pattern.ts';

test('G29: a path fits a pattern or does not, as in a shell, but that a star takes a dot as well', () => {
  const rows: [pattern: string, fits: readonly string[], not: readonly string[]][] = [
    ['*.ts', ['a.ts', 'x/y/a.ts', '.ts', '.a.ts'], ['a.tsx', 'a.ts/b']],
    ['./*.ts', ['a.ts', '.a.ts'], ['a.js', 'x/a.ts']],
    ['src/*.ts', ['src/a.ts', 'src/.a.ts'], ['a.ts', 'src/x/a.ts', 'y/src/a.ts']],
    ['src/**', ['src/a', 'src/x/y', 'src/.x/y'], ['src', 'a/src/b']],
    ['src/**/*.ts', ['src/a.ts', 'src/x/y/a.ts'], ['a.ts', 'src/x/y/a.js']],
    ['**/x/**/b', ['x/b', 'a/x/b', 'a/x/c/d/b', 'x/x/b'], ['b', 'x/c', 'xb']],
    ['**', ['a', 'a/b'], []],
    ['a/./b//c', ['a/b/c'], ['a/c']],
    ['{a,b}.{js,ts}', ['a.js', 'b.ts', 'x/b.js'], ['c.js', 'a.j']],
    ['{src,lib/{x,y}}/*.ts', ['src/a.ts', 'lib/x/a.ts', 'lib/y/b.ts'], ['lib/a.ts', 'lib/z/a.ts']],
    ['{*.md,src/**/*.ts}', ['a.md', 'x/a.md', 'src/b.ts'], ['b.ts']],
    ['*.{ts}', ['a.ts'], ['a.{ts}']],
    ['a{,b}c', ['ac', 'abc'], ['a{,b}c']],
    ['f{8..11}', ['f8', 'f9', 'f10', 'f11'], ['f7', 'f12', 'f8..11']],
    ['{c..a}', ['a', 'b', 'c'], ['d']],
    ['{a..1}', ['a..1'], ['a']],
    ['?', ['a', '\u{1F98A}', 'x/b'], ['ab', '']],
    ['a?c', ['abc', 'a.c', 'a\u{1F98A}c'], ['ac', 'a/c']],
    ['[ab]x', ['ax', 'bx'], ['cx', 'x']],
    ['[!ab]x', ['cx', '.x'], ['ax', 'x']],
    ['[^ab]x', ['cx'], ['bx']],
    ['[a-cx-]', ['a', 'c', 'x', '-'], ['d']],
    ['[]a]', [']', 'a'], ['b']],
    ['[a\\]]', [']', 'a'], ['\\']],
    ['[[:digit:]x]', ['7', 'x'], ['a']],
    ['[{]a', ['{a'], ['a']],
    ['\\*.ts', ['*.ts'], ['a.ts']],
    ['\\{a,b\\}', ['{a,b}'], ['a', 'b']],
    ['\\[a\\]', ['[a]'], ['a']],
    ['\\!a', ['!a'], ['b']],
    ['a,b.ts', ['a,b.ts'], ['a']],
    ['**/Smith, John/**', ['Smith, John/a', 'x/Smith, John/y/z'], ['Smith/a', 'John/a']],
    ['**\\, a/**', ['x, a/b'], ['x/b']],
    ['*.a\\ *.b', ['x.a y.b'], ['x.a', 'y.b']],
    ['app/(group)/@slot/*(1).ts', ['app/(group)/@slot/page (1).ts'], ['app/group/slot/1.ts']],
    ['**/foo bar/**', ['foo bar/a', 'x/foo bar/y/z'], ['foo/bar']],
  ];
  for (const [pattern, fits, not] of rows) {
    const matches = pathMatcher(pattern);
    for (const path of fits) assert.ok(matches(path), `${pattern} takes ${path}`);
    for (const path of not) assert.ok(!matches(path), `${pattern} does not take ${path}`);
  }
});

test("G29: without dots at the beginning a path fits exactly where Node's own matching says so", () => {
  const name = fc.stringMatching(/^[ab.][ab.]{0,5}$/).filter((text) => !text.startsWith('.'));
  const part = fc.oneof(
    fc.constant('**'),
    fc.array(fc.constantFrom('a', 'b', '.', '*', '?', '[ab]', '[!a]', '{a,b}', '{a*,b.}'), { minLength: 1, maxLength: 5 }).map((all) => all.join('')),
  );
  const paths = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
  const patterns = fc
    .array(part, { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/'))
    .filter((pattern) => !/(^|\/)\.{1,2}(\/|$)/.test(pattern))
    // More than that stands for too many patterns.
    .filter((pattern) => pattern.split('{').length <= 8);
  fc.assert(
    fc.property(patterns, paths, (pattern, path) => {
      assert.equal(pathMatcher(pattern)(path), posix.matchesGlob(path, pattern.includes('/') ? pattern : `**/${pattern}`));
    }),
    { numRuns: 5_000 },
  );
});

test('G29: no pattern makes a long name expensive', () => {
  const steps = 'a'.repeat(255);
  const matches = pathMatcher(`${'*a'.repeat(200)}b`);
  for (let turn = 0; turn < 100; turn += 1) assert.ok(!matches(Array.from({ length: 16 }, () => steps).join('/')));
  assert.ok(!pathMatcher(`${'**/a*/'.repeat(100)}b`)(Array.from({ length: 1_000 }, () => 'a').join('/')));
});

/** What `part` makes when it is repeated up to the longest pattern that is taken, behind `first` and before `last`. */
function longest(first: string, part: string, last = ''): string {
  return first + part.repeat(Math.floor((1_000 - first.length - last.length) / part.length)) + last;
}

test('G29: a pattern that would take long to be taken apart is refused, or is not long at all', { timeout: 60_000 }, () => {
  const many = '{a,b}'.repeat(8);
  const refused: [pattern: string, says: RegExp][] = [
    ...['[:', '[', '[[:', '[:a', '[!', '[:\\'].map((part): [string, RegExp] => [longest(many, part), /"\[" that is never closed/]),
    [longest(many, '[:', ':]'), /"\[" that is never closed/],
    [longest(many, '{[:', '}'), /"\[" that is never closed/],
    [longest(many, '*a'), /too many stars/],
    [longest(many, '?'), /too many stars/],
    [longest(`${many}*[`, 'a', ']'), /too many stars/],
    [longest(many, '[[:]'), /"\[" that is never closed/],
    [longest(many, '[[:a]'), /too many stars/],
    [longest(many, '{a}'), /too many braces/],
    [`${many}${'{'.repeat(480)}${'}'.repeat(480)}`, /too many braces/],
    [longest(many, '[][]'), /too many stars/],
    [longest('', '{a,b}'), /more than 256 patterns/],
  ];
  for (const [pattern, message] of refused) assert.throws(() => pathMatcher(pattern), { code: 'invalid_input', message }, pattern.slice(0, 60));
  const taken: [pattern: string, fits: string][] = [
    [longest('', '{a}'), 'a'.repeat(333)],
    [longest('', '*a'), 'a'.repeat(500)],
    [longest('[', '[:', 'a]'), ':'],
    [longest('[', 'a', ']'), 'a'],
    [`{${Array.from({ length: 200 }, (_, index) => `a${index}`).join(',')}}/**/*.{ts}`, 'a199/x/b.ts'],
  ];
  for (const [pattern, fits] of taken) assert.ok(pathMatcher(pattern)(fits), pattern.slice(0, 60));
});
