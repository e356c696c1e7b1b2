import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runRemoteTool } from './remote-tools.ts';

test('R7: a plan is kept, and a wrong or unknown input is answered with what is wrong', async () => {
  const good = await runRemoteTool({
    tool: 'update_plan',
    input: {
      steps: [
        { title: 'look', status: 'done' },
        { title: 'act', status: 'todo' },
      ],
    },
  });
  assert.equal(good.status, 'succeeded');
  assert.match(JSON.stringify(good.content), /1 of 2/);
  assert.equal((await runRemoteTool({ tool: 'update_plan', input: { steps: 'none' } })).error?.code, 'invalid_input');
  assert.equal((await runRemoteTool({ tool: 'constructor', input: {} })).error?.code, 'unknown_tool');
});
