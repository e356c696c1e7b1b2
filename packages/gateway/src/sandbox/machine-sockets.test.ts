import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { machineSockets, pathsIn } from './machine-sockets.ts';

test('W18: of the table of sockets those with a file are taken', () => {
  const table = `Num       RefCount Protocol Flags    Type St Inode Path
00000000ee4e20a6: 00000003 00000000 00000000 0001 03 2224201
00000000e1a50677: 00000002 00000000 00010000 0001 01    17 /run/with space/a socket
00000000ffdca170: 00000002 00000000 00010000 0001 01 2232184 @/tmp/.X11-unix/X0
00000000ffdca171: 00000002 00000000 00000000 0002 01 2232185 /run/log
00000000ffdca172: 00000002 00000000 00010000 0001 01 2232186 relative
`;
  assert.deepEqual(pathsIn(table), ['/run/with space/a socket', '/run/log']);
});

test('W18: sockets of this machine are found where they are, but for those of agents that sign', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tendon sockets '));
  await mkdir(join(folder, 'gnupg'));
  const paths = ['one', 'agent', 'gnupg/S.gpg-agent', 'gone'].map((name) => join(folder, name));
  const servers = paths.map((path) => createServer().listen(path));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const before = process.env['SSH_AUTH_SOCK'];
  t.after(async () => {
    if (before === undefined) delete process.env['SSH_AUTH_SOCK'];
    else process.env['SSH_AUTH_SOCK'] = before;
    for (const server of servers) server.close();
    await rm(folder, { recursive: true, force: true });
  });
  process.env['SSH_AUTH_SOCK'] = join(folder, 'agent');
  await rm(join(folder, 'gone'));
  assert.deepEqual(
    (await machineSockets()).filter((path) => path.startsWith(folder)),
    [join(folder, 'one')],
  );
});
