import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startGateway } from '@tendon/gateway';
import { createLog } from '@tendon/server/settings';
import { commandFor, startServerDouble } from '@tendon/testing';
import { checkRefusals } from './refusal-check.ts';

test('O12, G10: doctor says what a gateway has refused, and what of it no honest server asks for', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tendon doctor '));
  const home = join(folder, 'home');
  await mkdir(join(folder, 'work'));
  assert.deepEqual(await checkRefusals(home), []);
  await using server = await startServerDouble();
  const log = createLog({ level: 'silent', pretty: false });
  const options = { serverUrl: server.url, token: 'key', home, workspaces: [join(folder, 'work')], log, version: '0.0.0', name: 'my machine' };
  const first = await startGateway(options);
  await first.ready();
  const command = commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'true' } });
  await server.emit('tool:cancel', { callId: command.callId });
  await first.close();
  assert.deepEqual(await checkRefusals(home), [], 'nothing was refused');
  const second = await startGateway(options);
  await second.ready();
  for (let sent = 0; sent < 3; sent += 1)
    await server.emit('tool:call', { ...commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'true' } }), input: { command: 'false' } });
  await second.close();
  const [finding, ...others] = await checkRefusals(home);
  assert.deepEqual(others, []);
  assert.equal(finding?.state, 'missing');
  assert.match(
    finding.detail,
    /^"my machine" refused its server: hash_mismatch 3\. The last that no honest server .* hash_mismatch at 20.*What was sent is not what was approved/,
  );
  assert.match(finding.mend ?? '', /not honest/);
  await rm(folder, { recursive: true });
});
