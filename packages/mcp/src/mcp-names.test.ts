import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mcpToolName } from './mcp-names.ts';

test('E2: a name that fits is kept, every other one carries a mark', () => {
  assert.equal(mcpToolName('files', 'read_file'), 'mcp__files__read_file');
  assert.equal(mcpToolName('my server', 'get.weather'), mcpToolName('my server', 'get.weather'));
  assert.match(mcpToolName('my server', 'get.weather'), /^mcp__my_server__get_weather_[0-9a-f]{6}$/);
  assert.notEqual(mcpToolName('a', 'get.x'), mcpToolName('a', 'get_x'));
  assert.notEqual(mcpToolName('a__b', 'c'), mcpToolName('a', 'b__c'));
  assert.notEqual(mcpToolName('a_', 'c'), mcpToolName('a', '_c'));
  assert.notEqual(mcpToolName('s', `${'x'.repeat(100)}1`), mcpToolName('s', `${'x'.repeat(100)}2`));
});

test('E2: any two names give one that providers take, and two tools never the same', () => {
  const word = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.string({ unit: fc.constantFrom('a', '_', '-', '.'), maxLength: 5 }));
  fc.assert(
    fc.property(fc.tuple(word, word), fc.tuple(word, word), ([server, tool], [otherServer, otherTool]) => {
      const name = mcpToolName(server, tool);
      assert.match(name, /^[A-Za-z0-9_-]{1,64}$/);
      if (server !== otherServer || tool !== otherTool) assert.notEqual(name, mcpToolName(otherServer, otherTool));
    }),
    { numRuns: 3_000 },
  );
});
