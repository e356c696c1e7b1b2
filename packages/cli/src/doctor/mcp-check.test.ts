import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkMcp } from './mcp-check.ts';

test('E12, O12: doctor names what is wrong in mcp.json and each command that is missing, with what installs it', async () => {
  const home = await mkdtemp(join(tmpdir(), 'tendon doctor '));
  const env = { PATH: '/bin:/usr/bin' };
  assert.deepEqual(await checkMcp(home, env), []);
  const write = (mcpServers: object) => writeFile(join(home, 'mcp.json'), JSON.stringify({ mcpServers }));
  await write({ here: { command: 'sh' }, full: { command: process.execPath }, web: { url: 'http://127.0.0.1:1/mcp' } });
  assert.deepEqual(await checkMcp(home, env), [{ subject: 'mcp', state: 'ok', detail: 'here, full, web' }]);
  await write({ here: { command: 'sh' }, gone: { command: '/nowhere/uvx' }, bad: { args: [] } });
  const findings = await checkMcp(home, env);
  assert.deepEqual(
    findings.map(({ state }) => state),
    ['missing', 'missing'],
  );
  assert.match(findings[0]?.detail ?? '', /mcpServers\.bad\.command is wrong/);
  assert.match(findings[1]?.detail ?? '', /"gone" needs the command "\/nowhere\/uvx"/);
  assert.match(findings[1]?.mend ?? '', /^Install uv: /);
  await rm(home, { recursive: true });
});
