import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
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
  assert.match(findings[0]?.detail ?? '', /mcpServers\.bad has neither "command" .* nor "url"/);
  assert.match(findings[1]?.detail ?? '', /"gone" needs the command "\/nowhere\/uvx"/);
  assert.match(findings[1]?.mend ?? '', /^Install uv: /);
  await write({ line: { command: 'npx -y hunter2' }, place: { command: 'sh', cwd: '/nope' } });
  assert.deepEqual(
    (await checkMcp(home, env)).map(({ detail }) => detail),
    [
      '"line" cannot start: its command has more words than the name of a program: leave "command": "npx" and put the words after the first into "args": [ … ]',
      '"place" cannot start: its folder "/nope" is not there. Make it, or name another one in "cwd" of mcp.json',
    ],
  );
  await writeFile(join(home, 'mcp.json'), JSON.stringify({ mcp_servers: { here: { command: 'sh' } } }));
  assert.match((await checkMcp(home, env))[0]?.detail ?? '', /mcp_servers is not read: name it "mcpServers"/);
  await rm(home, { recursive: true });
});

test("E23, O12: doctor looks at the server's own file in the same way, and says which of the two it is about", async () => {
  const home = await mkdtemp(join(tmpdir(), 'tendon doctor '));
  const env = { PATH: '/bin:/usr/bin' };
  await mkdir(join(home, 'server'));
  const write = (mcpServers: object) => writeFile(join(home, 'server', 'mcp.json'), JSON.stringify({ mcpServers }));
  await write({ here: { command: 'sh' } });
  assert.deepEqual(await checkMcp(home, env), [{ subject: 'mcp on the server', state: 'ok', detail: 'here' }]);
  await write({ gone: { command: '/nowhere/uvx' }, bad: { args: [] } });
  const [bad, gone] = await checkMcp(home, env);
  assert.match(bad?.detail ?? '', /server\/mcp\.json: mcpServers\.bad has neither .*the server reads it again by itself/);
  assert.match(gone?.mend ?? '', /^Install uv: /);
  await rm(home, { recursive: true });
});
