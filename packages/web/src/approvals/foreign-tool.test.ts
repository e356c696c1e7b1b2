import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, Gateway } from '@tendon/protocol';
import { foreignTool } from './foreign-tool.ts';

test('E6: a card shows what an MCP server says of its tool, and that it has changed', () => {
  const tools: Gateway['tools'] = [
    { name: 'bash', effect: 'execute' },
    { name: 'mcp__s__odd', effect: 'execute', source: 's', description: 'Odd.', isChanged: true },
  ];
  const gateway: Gateway = { id: 'g', name: 'laptop', platform: 'linux', online: true, workspaces: [], tools, lastSeenAt: '2026-01-01T00:00:00.000Z' };
  const about = (tool: string, machine: Gateway | undefined) => foreignTool({ tool } as Call, machine);
  assert.deepEqual(about('mcp__s__odd', gateway), { source: 's', title: undefined, description: 'Odd.', isChanged: true });
  assert.equal(about('bash', gateway), undefined);
  assert.equal(about('mcp__s__gone', gateway), undefined);
  assert.equal(about('mcp__s__odd', undefined), undefined);
});
