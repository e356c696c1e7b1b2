import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '@tendon/protocol';
import { groupByDay, searchSessions } from './session-groups.ts';

function session(title: string, updated: Date, workspace?: string): Session {
  const at = updated.toISOString();
  const base = { id: title, title, status: 'idle' as const, model: 'demo', archived: false, seq: 1, createdAt: at, updatedAt: at };
  const rest = { waiting: { approvals: 0, answers: 0 }, usage: { inputTokens: 0, outputTokens: 0 } };
  return workspace ? { ...base, ...rest, workspace } : { ...base, ...rest };
}

test('U3: sessions stand under the local day of their last change', () => {
  const now = new Date(2026, 10, 22, 0, 30);
  const list = [
    session('now', now),
    session('last night', new Date(2026, 10, 21, 23, 59)),
    session('thursday', new Date(2026, 10, 19, 9)),
    session('long ago', new Date(2026, 9, 2)),
    session('as long ago', new Date(2026, 9, 1)),
  ];
  const groups = groupByDay(list, { now, locale: 'en' });
  assert.deepEqual(
    groups.map((group) => [group.label, group.sessions.map((member) => member.title)]),
    [
      ['Today', ['now']],
      ['Yesterday', ['last night']],
      ['Thursday', ['thursday']],
      ['October 2026', ['long ago', 'as long ago']],
    ],
  );
});

test('U3: a clock that runs behind the server puts a session under Today', () => {
  const now = new Date(2026, 10, 22, 12);
  assert.equal(groupByDay([session('ahead', new Date(2026, 10, 23, 1))], { now })[0]?.label, 'Today');
});

test('U3: search takes every word, in any order and case', () => {
  const at = new Date(2026, 10, 22);
  const list = [session('Fix the build', at, '/home/me/site'), session('Write notes', at)];
  assert.deepEqual(
    searchSessions(list, ' BUILD fix ').map((found) => found.title),
    ['Fix the build'],
  );
  assert.deepEqual(
    searchSessions(list, 'site').map((found) => found.title),
    ['Fix the build'],
  );
  assert.equal(searchSessions(list, '  ').length, 2);
  assert.equal(searchSessions(list, 'nothing').length, 0);
});
