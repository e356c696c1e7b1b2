import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '@tendon/protocol';
import { whereTitlesDiffer } from './title-parts.ts';

const at = '2026-11-22T10:00:00Z';
const rest = { status: 'idle' as const, model: 'demo', archived: false, seq: 1, createdAt: at, updatedAt: at };
const session = (title: string, index: number): Session => ({
  ...rest,
  ...{ id: String(index), title, waiting: { approvals: 0, answers: 0 }, usage: { inputTokens: 0, outputTokens: 0 } },
});

/** What each row shows of its title in any case. */
function tails(...titles: string[]): (string | undefined)[] {
  const found = whereTitlesDiffer(titles.map(session));
  return titles.map((title, index) => (found.has(String(index)) ? title.slice(found.get(String(index))) : undefined));
}

test('U3: titles that begin alike are shown from the word in which they differ', () => {
  assert.deepEqual(tails('Find out why the build of web fails', 'Write notes', 'Find out why the build of docs fails'), ['web fails', undefined, 'docs fails']);
  assert.deepEqual(tails('Find out why the build fails', 'Find out why the build fails on Debian'), [undefined, 'on Debian']);
});

test('U3: of several the nearest counts, and titles that are the same have nothing to show', () => {
  const long = 'Look at every file of the shop and';
  assert.deepEqual(tails(`${long} say what it does`, `${long} say what it needs`, `${long} tidy up`), ['does', 'needs', 'tidy up']);
  assert.deepEqual(tails(`${long} tidy up`, `${long} tidy up`), [undefined, undefined]);
  assert.deepEqual(tails(`${long} tidy up`, `${long} tidy up`, `${long} test it`), ['tidy up', 'tidy up', 'test it']);
});

test('U3: short titles are left as they are, and no character is cut in two', () => {
  assert.deepEqual(tails('run ls', 'run ls -l'), [undefined, undefined]);
  const word = 'x'.repeat(40);
  assert.deepEqual(tails(`${word}🦀`, `${word}🦊`), ['🦀', '🦊']);
  assert.deepEqual(tails(), []);
});
