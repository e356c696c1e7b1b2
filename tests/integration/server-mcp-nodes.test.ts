import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { calls, nodeRig, resultText, says, temporaryFolder } from '@tendon/testing';
import { hasTool, ledgerServer, serversWhen, untilLine, writeServerMcp } from './server-mcp-rig.ts';

const folder = await temporaryFolder();
const rig = await nodeRig({ hasGateway: false });
after(async () => {
  await rig[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

test('E9, E27: a node that starts in the home of a living one leaves the MCP servers of that one alone', async () => {
  const ledger = join(folder.path, 'ledger');
  await writeServerMcp(rig.home, { ledger: ledgerServer(ledger) });
  await serversWhen(await rig.connect(), hasTool('server_mcp__ledger__hold'));
  const session = await rig.open();
  rig.model.script([calls({ name: 'server_mcp__ledger__hold', input: { word: 'on' } })], says('Held.'));
  await session.say('hold');
  const asked = await session.untilCall('awaiting_approval');
  await session.decide(asked, 'approve');
  await untilLine(ledger, 'held on');

  const other = await rig.startNode();
  await serversWhen(await other.connect(), hasTool('server_mcp__ledger__hold'));
  await writeFile(`${ledger}.go`, '');
  assert.equal(resultText(await session.untilCallIs(asked.id, 'succeeded')), 'done on');
});
