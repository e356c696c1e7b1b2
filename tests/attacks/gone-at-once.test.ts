import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { nodeRig, processRig, SessionView, says, startTendon, type TendonProcess, temporaryFolder } from '@tendon/testing';

/*
 * Clients that are gone before the process has looked at them: it stands still while they connect, ask, and reset their connection. Every
 * request is read from a connection that has neither an address nor anybody to answer. Once this ended the server, for whoever tried.
 */

const OF_EACH = 25;
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const BODY = 'Content-Type: application/json\r\nContent-Length: 2\r\n';

/** What they ask, with the headers behind the host, and a body. */
const REQUESTS = [
  ['GET /', '', ''],
  ['GET /healthz', '', ''],
  ['GET /readyz', '', ''],
  ['GET /metrics', '', ''],
  ['GET /sign-in?token=x', '', ''],
  ['GET /api/me', 'X-Requested-With: tendon\r\n', ''],
  ['GET /api/me', 'Authorization: Bearer tdn_x\r\n', ''],
  ['GET /api/auth/ways', 'X-Requested-With: tendon\r\n', ''],
  ['POST /api/auth/sign-in', `X-Requested-With: tendon\r\n${BODY}`, '{}'],
  ['POST /api/auth/session-token', `X-Requested-With: tendon\r\n${BODY}`, '{}'],
  ['POST /api/pair', BODY, '{}'],
  ['POST /api/pair', 'Content-Type: application/json\r\nContent-Length: 1000\r\n', '{'],
  ['GET /socket.io/?EIO=4&transport=polling', '', ''],
  ['POST /socket.io/?EIO=4&transport=polling', BODY, '40'],
  ['GET /socket.io/?EIO=4&transport=polling&sid=x', '', ''],
  ['GET /socket.io/?EIO=4&transport=websocket', UPGRADE, ''],
  ['GET /socket.io/?EIO=4&transport=websocket&sid=x', UPGRADE, ''],
  ['GET /somewhere', UPGRADE, ''],
  ['CONNECT 127.0.0.1:1', '', ''],
  ['GET', '', ''],
] as const;

const ENDS = [
  ['reset', (socket: Socket) => socket.resetAndDestroy()],
  ['closed', (socket: Socket) => socket.destroy()],
] as const;

/** Many of each, at a process that stands still meanwhile. */
async function comeAndGo({ pid }: { readonly pid: number }, port: number, end: (socket: Socket) => void): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    const sockets = await Promise.all(
      Array.from({ length: OF_EACH * REQUESTS.length }, async (_, index) => {
        const [line, headers, body] = REQUESTS[index % REQUESTS.length] ?? REQUESTS[0];
        const socket = connect(port, '127.0.0.1').on('error', () => undefined);
        await once(socket, 'connect');
        socket.write(`${line} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers}\r\n${body}`);
        return socket;
      }),
    );
    for (const socket of sockets) end(socket);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

async function livesOn(one: TendonProcess, url: string): Promise<void> {
  const answer = await Promise.race([
    fetch(`${url}/healthz`),
    one.exited.then(({ code }) => assert.fail(`it ended with ${code}:\n${one.output().slice(-3_000)}`)),
  ]);
  assert.equal(answer.status, 200);
  assert.doesNotMatch(one.output(), /TypeError|at file:/);
}

for (const [name, end] of ENDS) {
  test(`T28: a server goes on when those who asked had ${name} their connection before it looked`, async () => {
    await using rig = await processRig();
    const server = await rig.start('server');
    await comeAndGo(server, server.port, end);
    await livesOn(server, rig.url);
    rig.model.script(says('Still here.'));
    await using stack = new AsyncDisposableStack();
    const socket = stack.adopt(await rig.connect(), async (one) => one.close());
    const session = await SessionView.create(socket);
    await session.say('are you there?');
    await session.untilStatus('idle');
  });
}

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());

for (const [name, end] of ENDS) {
  test(`T28, L1: so does a machine with its relay, when they had ${name} theirs`, async () => {
    const rig = stack.use(await nodeRig({ hasGateway: false }));
    const home = stack.use(await temporaryFolder());
    const args = ['gateway', '--relay', '--server', rig.url, '--workspace', rig.workspace];
    const env = { TENDON_HOME: home.path, TENDON_API_KEY: rig.key, TENDON_RELAY_PORT: '0' };
    const machine = stack.use(await startTendon({ args, env, scratch: home.path }));
    const relay = /http:\/\/127\.0\.0\.1:(\d+)\/sign-in/.exec(machine.output());
    assert.ok(relay?.[1], machine.output());
    await comeAndGo(machine, Number(relay[1]), end);
    await livesOn(machine, `http://127.0.0.1:${relay[1]}`);
  });
}
