import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket as NetSocket } from 'node:net';
import { describe, it } from 'node:test';
import { FakeAgentServer } from '../../test-support/fake-agent-server.ts';
import { connect, eventually, online, until } from '../../test-support/rig.ts';
import type { Timers } from '../types.ts';

/** Real timers that know what is still running, and can be told to wait for ever. */
function countedTimers(): Timers & { readonly running: Set<unknown>; readonly delays: number[] } {
  const running = new Set<unknown>();
  const delays: number[] = [];
  return {
    running,
    delays,
    set(task, delayMs) {
      delays.push(delayMs);
      const handle = setTimeout(() => {
        running.delete(handle);
        task();
      }, delayMs);
      running.add(handle);
      return handle;
    },
    clear(handle) {
      running.delete(handle);
      clearTimeout(handle as NodeJS.Timeout);
    },
  };
}

/** Timers that wait until the test says that their time is up. */
function heldTimers(): Timers & { timeIsUp(delayMs: number): void } {
  const held = new Map<object, { readonly task: () => void; readonly delayMs: number }>();
  return {
    set(task, delayMs) {
      const handle = {};
      held.set(handle, { task, delayMs });
      return handle;
    },
    clear: (handle) => void held.delete(handle as object),
    timeIsUp(delayMs) {
      const due = [...held].filter(([, timer]) => timer.delayMs === delayMs);
      assert.equal(due.length, 1, `timers: ${[...held.values()].map((timer) => timer.delayMs).join(', ')}`);
      for (const [handle, { task }] of due) {
        held.delete(handle);
        task();
      }
    },
  };
}

/** A server that takes every connection and never says a word. */
async function muteServer() {
  const sockets: NetSocket[] = [];
  const server = createServer((socket) => sockets.push(socket.on('error', () => undefined).resume()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    sockets,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('connection over real sockets', () => {
  it('K3: the handshake carries protocol, client and token', async () => {
    await using server = await FakeAgentServer.started();
    using client = connect(server, { token: 'secret' });
    await online(client);
    assert.deepEqual(server.handshakes, [{ protocol: 1, client: { name: 'test', version: '1' }, token: 'secret' }]);
  });

  it('K3: a refusal for good ends in failed, with the reason, and only connectNow tries again', async () => {
    await using server = await FakeAgentServer.started();
    server.admit = () => ({ code: 'unsupported_protocol', message: 'too old' });
    using client = connect(server);
    const failed = await until(client.connection, (state) => state.kind === 'failed');
    assert.deepEqual(failed, { kind: 'failed', reason: { code: 'unsupported_protocol', message: 'too old' } });
    assert.equal(server.handshakes.length, 1);
    server.admit = () => undefined;
    client.connectNow();
    await online(client);
  });

  it('K2: retryAfterMs of a refusal is waited for, and connectNow cuts it short', async () => {
    await using server = await FakeAgentServer.started();
    server.admit = () => ({ code: 'shutting_down', message: 'bye', retryAfterMs: 60_000 });
    using client = connect(server, { now: () => 1_000 });
    const waiting = await until(client.connection, (state) => state.kind === 'waiting');
    assert.deepEqual(waiting, { kind: 'waiting', attempt: 1, retryAt: 61_005, reason: { code: 'shutting_down', message: 'bye' } });
    server.admit = () => undefined;
    client.connectNow();
    await online(client);
  });

  it('K2: a server that is not there is tried until it is', async () => {
    const server = await FakeAgentServer.started();
    await server.stop();
    using client = connect(server);
    const waiting = await until(client.connection, (state) => state.kind === 'waiting' && state.attempt >= 3);
    assert.equal(waiting.kind === 'waiting' && waiting.reason.code, 'unavailable');
    await server.start();
    await online(client);
    await server.stop();
  });

  it('K2: a server that takes the connection and says nothing is given up after 20 s, and tried again', async () => {
    using mute = await muteServer();
    const timers = heldTimers();
    using client = connect(mute, { timers, random: () => 0.5, now: () => 0 });
    await eventually(() => mute.sockets.length === 1);
    assert.equal(client.connection.get().kind, 'connecting');
    timers.timeIsUp(20_000);
    const reason = { code: 'unavailable', message: 'The server did not answer in time.' };
    assert.deepEqual(client.connection.get(), { kind: 'waiting', attempt: 1, retryAt: 250, reason });
    await eventually(() => mute.sockets.every((socket) => socket.readableEnded || socket.destroyed));
    timers.timeIsUp(250);
    await eventually(() => mute.sockets.length === 2);
  });

  it('K2, K4: a token that does not come is given up after 20 s, and asked for again', async () => {
    await using server = await FakeAgentServer.started();
    const timers = heldTimers();
    let calls = 0;
    const token = () => {
      calls += 1;
      return calls === 1 ? new Promise<string>(() => undefined) : Promise.resolve('good');
    };
    using client = connect(server, { token, timers, random: () => 0.5 });
    timers.timeIsUp(20_000);
    assert.equal(client.connection.get().kind, 'waiting');
    timers.timeIsUp(250);
    await online(client);
    assert.deepEqual([calls, server.handshakes.map((handshake) => handshake.token)], [2, ['good']]);
  });

  it('K20: 1,000 requests while it waits are answered at once, say when the next try is, and cause none', async () => {
    await using server = await FakeAgentServer.started();
    server.admit = () => ({ code: 'shutting_down', message: 'bye', retryAfterMs: 60_000 });
    const timers = countedTimers();
    using client = connect(server, { timers });
    const waiting = await until(client.connection, (state) => state.kind === 'waiting');
    const [set, tried] = [timers.delays.length, server.handshakes.length];
    const payload = {
      sessionId: '0192a7c0-0000-7000-8000-000000000001',
      messageId: '0192a7c0-0000-7000-8000-0000000000aa',
      text: 'hello',
      mode: 'queue',
    } as const;
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => client.request('agent:execute', payload)));
    for (const answer of answers) {
      assert.ok(!answer.ok && answer.error.code === 'unavailable');
      assert.deepEqual(answer.error.details, waiting, 'it says what is waited for, and until when');
    }
    assert.equal(client.connection.get(), waiting);
    assert.deepEqual([timers.delays.length, server.handshakes.length], [set, tried], 'no timer and no try');
  });

  it('L4: who says goodbye beforehand is believed, a server before its relay, and a relay that has lost its server is no news besides', async () => {
    await using server = await FakeAgentServer.started();
    const farewells = [
      { code: 'shutting_down', message: 'bye' },
      { code: 'relay_cut_off', message: 'The relay has lost its server.' },
    ];
    for (const said of [farewells, farewells.slice(1)]) {
      using client = connect(server, { random: () => 0.9 });
      await online(client);
      const told: unknown[] = [];
      client.notices.subscribe(() => told.push(client.notices.get()));
      for (const notice of said) server.broadcast('server:notice', notice);
      if (said.length > 1) await eventually(() => told.length > 0);
      server.cut();
      const waiting = await until(client.connection, (state) => state.kind === 'waiting');
      const [first] = said;
      assert.equal(waiting.kind === 'waiting' && waiting.reason.code, first?.code);
      assert.deepEqual(told, first?.code === 'shutting_down' ? [first] : []);
    }
  });

  // A session token is none of these: what a reconnect costs with one is in tests/e2e/desktop-page.test.ts.
  it('K4: a token function is called once over 50 reconnects, when its answer is taken each time', async () => {
    await using server = await FakeAgentServer.started();
    let calls = 0;
    const token = () => {
      calls += 1;
      return Promise.resolve(`token-${calls}`);
    };
    using client = connect(server, { token, random: () => 0 });
    for (let drop = 1; drop <= 50; drop += 1) {
      await eventually(() => server.handshakes.length === drop && client.connection.get().kind === 'online');
      server.cut();
    }
    await eventually(() => server.handshakes.length === 51);
    assert.equal(calls, 1);
    assert.ok(server.handshakes.every((handshake) => handshake.token === 'token-1'));
  });

  it('K4: an expired token is fetched once more and the connection goes on', async () => {
    await using server = await FakeAgentServer.started();
    let calls = 0;
    let valid = 'token-1';
    server.admit = ({ token }) => (token === valid ? undefined : { code: 'unauthorized', message: 'expired' });
    const token = () => {
      calls += 1;
      return Promise.resolve(`token-${calls}`);
    };
    using client = connect(server, { token });
    await online(client);
    valid = 'token-2';
    server.cut();
    await eventually(() => server.handshakes.length === 3 && client.connection.get().kind === 'online');
    assert.equal(calls, 2);
    assert.deepEqual(
      server.handshakes.map((handshake) => handshake.token),
      ['token-1', 'token-1', 'token-2'],
    );
  });

  it('K4: a token that is refused, renewed and refused again ends it: no loop', async () => {
    await using server = await FakeAgentServer.started();
    let calls = 0;
    server.admit = () => ({ code: 'unauthorized', message: 'no' });
    using client = connect(server, {
      token: () => {
        calls += 1;
        return Promise.resolve('useless');
      },
    });
    await until(client.connection, (state) => state.kind === 'failed');
    assert.deepEqual([calls, server.handshakes.length], [2, 2]);
  });

  it('K4: a fixed token or a cookie that is refused is not tried again', async () => {
    await using server = await FakeAgentServer.started();
    server.admit = () => ({ code: 'unauthorized', message: 'no' });
    using client = connect(server);
    await until(client.connection, (state) => state.kind === 'failed');
    assert.equal(server.handshakes.length, 1);
  });

  it('K4: a token function that fails is asked again after a pause', async () => {
    await using server = await FakeAgentServer.started();
    let calls = 0;
    const token = () => {
      calls += 1;
      return calls < 3 ? Promise.reject(new Error('offline')) : Promise.resolve('good');
    };
    using client = connect(server, { token });
    await online(client);
    assert.equal(calls, 3);
  });

  it('K5: a request without an answer is settled, and a connection on which nothing is heard is made anew', async () => {
    await using server = await FakeAgentServer.started();
    using client = connect(server, { requestTimeoutMs: 150 });
    await online(client);
    await until(client.sessions, (view) => view.status === 'ready');
    const before = server.handshakes.length;
    server.acknowledgement = (name) => (name === 'model:list' ? 'lose' : 'send');
    const result = await client.request('model:list', {});
    assert.equal(!result.ok && result.error.code, 'unavailable');
    await eventually(() => server.handshakes.length > before && client.connection.get().kind === 'online');
  });

  it('K5: a request that is not answered is settled after 10 s, unless another time is given', async () => {
    for (const requestTimeoutMs of [undefined, 1_234]) {
      await using server = await FakeAgentServer.started();
      const timers = heldTimers();
      using client = connect(server, { timers, ...(requestTimeoutMs !== undefined && { requestTimeoutMs }) });
      await online(client);
      await until(client.sessions, (view) => view.status === 'ready');
      server.acknowledgement = (name) => (name === 'model:list' ? 'lose' : 'send');
      const open = client.request('model:list', {});
      await eventually(() => server.seen('model:list').length === 1);
      timers.timeIsUp(requestTimeoutMs ?? 10_000);
      const result = await open;
      assert.equal(!result.ok && result.error.code, 'unavailable');
    }
  });

  it('K5: a slow server that is otherwise heard keeps its connection', async () => {
    await using server = await FakeAgentServer.started();
    const timers = heldTimers();
    let moments = 0;
    const now = () => {
      moments += 1;
      return moments;
    };
    using client = connect(server, { timers, now });
    await online(client);
    await until(client.sessions, (view) => view.status === 'ready');
    server.acknowledgement = (name) => (name === 'model:list' ? 'lose' : 'send');
    const open = client.request('model:list', {});
    await eventually(() => server.seen('model:list').length === 1);
    server.broadcast('server:notice', { code: 'hello', message: '' });
    await until(client.notices, (notice) => notice?.code === 'hello');
    timers.timeIsUp(10_000);
    const result = await open;
    assert.equal(!result.ok && result.error.code, 'unavailable');
    assert.equal(client.connection.get().kind, 'online');
    assert.equal(server.handshakes.length, 1);
  });

  it('K5: a request that is open when the connection goes answers at once', async () => {
    await using server = await FakeAgentServer.started();
    using client = connect(server);
    await online(client);
    server.acknowledgement = (name) => (name === 'model:list' ? 'lose' : 'send');
    const open = client.request('model:list', {});
    await eventually(() => server.seen('model:list').length === 1);
    server.cut();
    const result = await open;
    assert.equal(!result.ok && result.error.code, 'unavailable');
  });

  it('K6: close leaves no timer and no socket, whenever it comes, and may come twice', async () => {
    await using server = await FakeAgentServer.started();
    const session = server.session();
    for (const moment of ['at once', 'online', 'waiting'] as const) {
      const timers = countedTimers();
      const client = connect(server, { timers });
      const opened = client.open(session.id);
      opened.send('hello');
      if (moment !== 'at once') await until(opened.view, (view) => view.phase === 'ready');
      if (moment === 'waiting') {
        server.admit = () => ({ code: 'rate_limited', message: 'later', retryAfterMs: 60_000 });
        server.cut();
        await until(client.connection, (state) => state.kind === 'waiting');
      }
      opened.release();
      client.close();
      client.close();
      assert.equal(client.connection.get().kind, 'closed');
      await eventually(() => server.sockets.length === 0);
      assert.equal(timers.running.size, 0, moment);
    }
  });

  it('K6: closing while the transport is being opened leaves nothing behind', async () => {
    using mute = await muteServer();
    const timers = countedTimers();
    const client = connect(mute, { timers });
    await eventually(() => mute.sockets.length > 0);
    client.close();
    assert.equal(timers.running.size, 0);
    await eventually(() => mute.sockets.every((socket) => socket.readableEnded || socket.destroyed));
  });
});
