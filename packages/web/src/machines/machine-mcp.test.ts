import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gateway } from '@tendon/protocol';
import { changedWords, mcpOf } from './machine-mcp.ts';

const tool = (name: string, source?: string): Gateway['tools'][number] => ({ name, effect: 'execute', ...(source === undefined ? {} : { source }) });
const TOOLS = [tool('bash'), tool('mcp__files__read', 'files'), tool('mcp__web__find', 'web'), tool('mcp_list_resources', 'mcp')];

test('E31: a tool stands at its MCP server, and with the others when that is not told of', () => {
  const { servers, otherTools } = mcpOf({
    tools: TOOLS,
    mcpServers: [
      { name: 'files', state: 'running' },
      { name: 'gone', state: 'failed', reason: 'it ended' },
      { name: 'files', state: 'starting' },
    ],
  });
  assert.deepEqual(
    servers.map(({ name, state, reason, tools }) => [name, state, reason, tools.map((one) => one.name)]),
    [
      ['files', 'running', undefined, ['mcp__files__read']],
      ['gone', 'failed', 'it ended', []],
      ['files', 'starting', undefined, []],
    ],
  );
  assert.deepEqual(otherTools, [TOOLS[0], TOOLS[2], TOOLS[3]]);
});

test('E31: of an older machine all tools stand together', () => {
  assert.deepEqual(mcpOf({ tools: TOOLS }), { servers: [], otherTools: TOOLS });
});

test('E31: tools that have changed are counted', () => {
  const changed = { ...tool('a'), isChanged: true };
  assert.equal(changedWords([tool('a')]), undefined);
  assert.match(changedWords([changed, tool('b')]) ?? '', /^1 tool says something else .*a call of it/);
  assert.match(changedWords([changed, changed]) ?? '', /^2 tools say /);
});
