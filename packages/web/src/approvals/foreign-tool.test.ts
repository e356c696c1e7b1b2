import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, Gateway, McpServerView } from '@tendon/protocol';
import { foreignTool } from './foreign-tool.ts';

test('E6: a card shows what an MCP server says of its tool, and that it has changed', () => {
  const tools: Gateway['tools'] = [
    { name: 'bash', effect: 'execute' },
    { name: 'mcp__s__odd', effect: 'execute', source: 's', description: 'Odd.', isChanged: true },
  ];
  const gateway: Gateway = { id: 'g', name: 'laptop', platform: 'linux', online: true, workspaces: [], tools, lastSeenAt: '2026-01-01T00:00:00.000Z' };
  const about = (tool: string, machine: Gateway | undefined) => foreignTool({ tool, kind: 'local' } as Call, machine, []);
  assert.deepEqual(about('mcp__s__odd', gateway), { source: 's', title: undefined, description: 'Odd.', isChanged: true, isOvertaken: false });
  assert.equal(about('bash', gateway), undefined);
  assert.equal(about('mcp__s__gone', gateway), undefined);
  assert.equal(about('mcp__s__odd', undefined), undefined);
});

test('E24, E27: of a call on the server a card shows what the tool says of itself there, and that it says something else than when it was asked for', () => {
  const servers: McpServerView[] = [
    { name: 'empty', state: 'starting', tools: [] },
    { name: 'docs', state: 'running', tools: [{ name: 'server_mcp__docs__search', title: 'Search', description: 'Searches.', definition: 'words' }] },
  ];
  const about = (over: Partial<Call>) =>
    foreignTool({ tool: 'server_mcp__docs__search', kind: 'remote', definition: 'words', ...over } as Call, undefined, servers);
  assert.deepEqual(about({}), { source: 'docs', title: 'Search', description: 'Searches.', isChanged: false, isOvertaken: false });
  assert.equal(about({ definition: 'other words' })?.isOvertaken, true);
  assert.equal(about({ tool: 'server_mcp__docs__gone' }), undefined);
  assert.equal(about({ kind: 'local' }), undefined, 'a machine has no tools of the server');
});
