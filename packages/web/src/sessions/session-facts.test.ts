import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gateway, Session } from '@tendon/protocol';
import { sessionFacts } from './session-facts.ts';

const laptop: Gateway = { id: 'l', name: 'laptop', platform: 'linux', online: true, workspaces: [], tools: [], lastSeenAt: '2026-11-22T10:00:00Z' };
const studio = { ...laptop, id: 's', name: 'studio' };
const now = new Date(2026, 10, 22, 15, 0);

function session(updated: Date, more: Partial<Session> = {}): Session {
  const at = updated.toISOString();
  const base = { id: 'x', title: 'Fix it', status: 'idle' as const, model: 'demo', archived: false, seq: 1, createdAt: at, updatedAt: at };
  return { ...base, waiting: { approvals: 0, answers: 0 }, usage: { inputTokens: 0, outputTokens: 0 }, gatewayId: 'l', workspace: '/home/me/shop', ...more };
}

const facts = (one: Session, gateways: readonly Gateway[] = [laptop]) => sessionFacts(one, { now, gateways, locale: 'en-GB' });

test('U3: sessions that begin alike are told apart by time and place', () => {
  assert.deepEqual(facts(session(new Date(2026, 10, 22, 14, 5))), ['14:05', 'shop']);
  assert.deepEqual(facts(session(new Date(2026, 10, 22, 14, 7))), ['14:07', 'shop']);
  assert.deepEqual(facts(session(now, { gatewayId: 's' }), [laptop, studio]), ['15:00', 'studio', 'shop']);
  assert.deepEqual(facts(session(now, { gatewayId: 'gone' }), [laptop, studio]), ['15:00', 'shop']);
});

test('U3: a session under a weekday says its time, an older one its day', () => {
  assert.deepEqual(facts(session(new Date(2026, 10, 16, 0, 0))), ['00:00', 'shop']);
  assert.deepEqual(facts(session(new Date(2026, 10, 15, 23, 59))), ['15 Nov', 'shop']);
});

test('U3: folders of any kind have a name, and a session without one says its time alone', () => {
  const table = [
    ['/home/me/shop/', 'shop'],
    ['C:\\work\\site', 'site'],
    ['/', '/'],
    ['C:\\', 'C:'],
  ] as const;
  for (const [workspace, name] of table) assert.deepEqual(facts(session(now, { workspace })), ['15:00', name]);
  const { workspace: _, ...nowhere } = session(now);
  assert.deepEqual(facts(nowhere), ['15:00']);
});
