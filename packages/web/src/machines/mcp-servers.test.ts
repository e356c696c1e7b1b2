import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentClient } from '@tendon/client';
import type { McpServerView } from '@tendon/protocol';
import { mcpServersOf } from './mcp-servers.ts';

type Asked = Parameters<typeof mcpServersOf>[0];

/** A client that is online or not, and answers when it is told to. */
function client() {
  const listeners = new Set<() => void>();
  const changeListeners = new Set<() => void>();
  const answers: ((servers: readonly McpServerView[]) => void)[] = [];
  let kind = 'online';
  const hear = (all: Set<() => void>) => (listener: () => void) => {
    all.add(listener);
    return () => all.delete(listener);
  };
  const asked = {
    connection: { get: () => ({ kind }), subscribe: hear(listeners) },
    mcpChanges: { get: () => 0, subscribe: hear(changeListeners) },
    request: () => new Promise((resolve) => answers.push((servers) => resolve({ ok: true, data: { servers } }))),
  } as unknown as Asked;
  const tell = (all: Set<() => void>) => {
    for (const listener of [...all]) listener();
  };
  return {
    ...{ asked, answers, listeners, change: () => tell(changeListeners) },
    become: (next: AgentClient['connection'] extends { get(): { kind: infer Kind } } ? Kind : never) => {
      kind = next;
      tell(listeners);
    },
  };
}

const server = (name: string): McpServerView => ({ name, state: 'running', tools: [] });

test('E27: however many cards show the MCP servers, they are asked for once, again at each connection and each change, and the newest answer stands', async () => {
  const { asked, answers, become, change, listeners } = client();
  const list = mcpServersOf(asked);
  assert.equal(mcpServersOf(asked), list);
  let told = 0;
  const stops = Array.from({ length: 300 }, () => list.subscribe(() => (told += 1)));
  assert.equal(answers.length, 1);
  change();
  answers[1]?.([server('new')]);
  answers[0]?.([server('old')]);
  await new Promise(setImmediate);
  assert.deepEqual([list.get().map(({ name }) => name), told], [['new'], 300]);
  become('waiting');
  change();
  assert.equal(answers.length, 2);
  become('online');
  become('online');
  assert.equal(answers.length, 3);
  for (const stop of stops) stop();
  assert.equal(listeners.size, 0);
  answers[2]?.([server('late')]);
  await new Promise(setImmediate);
  assert.deepEqual(list.get(), [server('new')]);
});
