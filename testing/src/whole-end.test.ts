import { test } from 'node:test';
import { startServerDouble } from './server-double-rig.ts';
import { STUBBORN_CLIENTS } from './stubborn-clients.ts';
import { within } from './until.ts';

/** Under the half minute after which others would end such a connection. */
const LIMIT_MS = 20_000;

for (const { title, open } of STUBBORN_CLIENTS)
  test(`a server of a test does not wait for a client that ${title}`, async () => {
    const server = await startServerDouble();
    const client = await open({ port: server.port, namespace: '/gateway', token: 'a token' });
    try {
      await within('the server to end', Promise.resolve(server[Symbol.asyncDispose]()), LIMIT_MS);
    } finally {
      client.destroy();
    }
  });
