import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gateway, Session } from '@tendon/protocol';
import { documentTitle, sessionMark } from './session-mark.ts';

const machine: Gateway = { id: 'm', name: 'laptop', platform: 'linux', online: true, workspaces: [], tools: [], lastSeenAt: '2026-11-22T10:00:00Z' };
const idle: Session = {
  id: 's',
  title: 'A',
  status: 'idle',
  model: 'demo',
  gatewayId: 'm',
  archived: false,
  seq: 1,
  createdAt: '2026-11-22T10:00:00Z',
  updatedAt: '2026-11-22T10:00:00Z',
  waiting: { approvals: 0, answers: 0 },
  usage: { inputTokens: 0, outputTokens: 0 },
};

test('U1: a row says the most pressing thing about its session', () => {
  assert.equal(sessionMark(idle, [machine]), 'quiet');
  assert.equal(sessionMark({ ...idle, status: 'running' }, [machine]), 'thinking');
  assert.equal(sessionMark({ ...idle, status: 'waiting_for_tools' }, [machine]), 'thinking');
  assert.equal(sessionMark({ ...idle, status: 'waiting_for_tools' }, [{ ...machine, online: false }]), 'waiting_for_machine');
  assert.equal(sessionMark({ ...idle, status: 'waiting_for_user', waiting: { approvals: 1, answers: 0 } }, [machine]), 'needs_you');
  assert.equal(sessionMark({ ...idle, lastError: { code: 'model', message: 'no' } }, [machine]), 'failed');
  assert.equal(sessionMark({ ...idle, status: 'running', lastError: { code: 'model', message: 'no' } }, [machine]), 'thinking');
  assert.equal(sessionMark({ ...idle, status: 'waiting_for_tools', stopping: true }, [{ ...machine, online: false }]), 'stopping');
});

test('U1: a machine that was never heard of is not called away', () => {
  assert.equal(sessionMark({ ...idle, status: 'waiting_for_tools' }, []), 'thinking');
});

test('U2: the tab counts the sessions that need a person', () => {
  assert.equal(documentTitle(0, undefined), 'Tendon');
  assert.equal(documentTitle(0, 'Fix the build'), 'Fix the build · Tendon');
  assert.equal(documentTitle(2, 'Fix the build'), '(2) Fix the build · Tendon');
});
