import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServerToolName } from '@tendon/protocol';
import fc from 'fast-check';
import { mcpToolName } from './mcp-names.ts';

test('E2: a name that fits is kept, every other one carries a mark', () => {
  assert.equal(mcpToolName('mcp', 'files', 'read_file'), 'mcp__files__read_file');
  assert.equal(mcpToolName('mcp', 'my server', 'get.weather'), mcpToolName('mcp', 'my server', 'get.weather'));
  assert.match(mcpToolName('mcp', 'my server', 'get.weather'), /^mcp__my_server__get_weather_[0-9a-f]{6}$/);
  assert.notEqual(mcpToolName('mcp', 'a', 'get.x'), mcpToolName('mcp', 'a', 'get_x'));
  assert.notEqual(mcpToolName('mcp', 'a__b', 'c'), mcpToolName('mcp', 'a', 'b__c'));
  assert.notEqual(mcpToolName('mcp', 'a_', 'c'), mcpToolName('mcp', 'a', '_c'));
  assert.notEqual(mcpToolName('mcp', 's', `${'x'.repeat(100)}1`), mcpToolName('mcp', 's', `${'x'.repeat(100)}2`));
});

test('E2: any two names give one that providers take, and two tools never the same', () => {
  const word = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.string({ unit: fc.constantFrom('a', '_', '-', '.'), maxLength: 5 }));
  const prefix = fc.constantFrom('mcp' as const, 'server_mcp' as const);
  fc.assert(
    fc.property(fc.tuple(prefix, word, word), fc.tuple(prefix, word, word), ([place, server, tool], [otherPlace, otherServer, otherTool]) => {
      const name = mcpToolName(place, server, tool);
      assert.equal(isServerToolName(name), place === 'server_mcp');
      assert.match(name, /^[A-Za-z0-9_-]{1,64}$/);
      if (place !== otherPlace || server !== otherServer || tool !== otherTool) assert.notEqual(name, mcpToolName(otherPlace, otherServer, otherTool));
    }),
    { numRuns: 3_000 },
  );
});
