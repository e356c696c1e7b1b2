import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { refusal, success } from '@tendon/protocol';
import { FakeAgentServer } from '../test-support/fake-agent-server.ts';
import { connect, eventually, online, until } from '../test-support/rig.ts';
import { sampleCall, sampleGateway, sampleSession } from '../test-support/samples.ts';

async function following(server: FakeAgentServer, options: Parameters<typeof connect>[1] = {}) {
  const session = server.session();
  const client = connect(server, options);
  const opened = client.open(session.id);
  await until(opened.view, (view) => view.phase === 'ready');
  return { session, opened, client, [Symbol.dispose]: () => client.close() };
}

describe('following a session', () => {
  it('K7: an event that is lost is fetched, one that comes twice is applied once', async () => {
    await using server = await FakeAgentServer.started();
    using rig = await following(server);
    const { session, opened } = rig;
    server.copies = () => 2;
    session.execute({ sessionId: session.id, messageId: randomUUID(), text: 'one' });
    server.copies = () => 0;
    session.execute({ sessionId: session.id, messageId: randomUUID(), text: 'two' });
    server.copies = () => 1;
    session.execute({ sessionId: session.id, messageId: randomUUID(), text: 'three' });
    const view = await until(opened.view, ({ seq }) => seq === session.seq);
    assert.deepEqual(view.messages, [...session.messages.values()]);
    assert.deepEqual(
      server.seen('session:attach').map(({ payload }) => payload),
      [{ sessionId: session.id }, { sessionId: session.id, afterSeq: 2 }],
    );
  });

  for (const answer of ['events', 'snapshot'] as const) {
    it(`K9: after a drop the page is right again without a reload (answer: ${answer})`, async () => {
      await using server = await FakeAgentServer.started();
      using rig = await following(server);
      const { session, opened, client } = rig;
      session.execute({ sessionId: session.id, messageId: randomUUID(), text: 'before' });
      await until(opened.view, ({ seq }) => seq === session.seq);
      await server.stop();
      session.execute({ sessionId: session.id, messageId: randomUUID(), text: 'while away' });
      session.begin();
      session.stream(0, 'text', 'unfinished');
      if (answer === 'snapshot') session.forgottenUpTo = session.seq - 1;
      await server.start();
      await until(opened.view, ({ seq }) => seq === session.seq);
      session.stream(0, 'text', ' text');
      const view = await until(opened.view, ({ live }) => live?.parts[0]?.type === 'text' && live.parts[0].text === 'unfinished text');
      using fresh = connect(server);
      const other = fresh.open(session.id);
      assert.deepEqual(view, await until(other.view, ({ phase }) => phase === 'ready'));
      assert.equal(client.connection.get().kind, 'online');
    });
  }

  it('K10: deltas add up to the message that the turn leaves', async () => {
    await using server = await FakeAgentServer.started();
    using rig = await following(server);
    const { session, opened } = rig;
    session.begin();
    for (let index = 0; index < 500; index += 1) session.stream(0, 'reasoning', `r${index} `);
    for (let index = 0; index < 500; index += 1) session.stream(1, 'text', `t${index} `);
    const parts = session.live?.parts;
    const view = await until(opened.view, ({ live }) => JSON.stringify(live?.parts) === JSON.stringify(parts));
    assert.equal(server.seen('session:attach').length, 1);
    session.finish();
    const done = await until(opened.view, ({ seq }) => seq === session.seq);
    assert.deepEqual([done.live, done.messages.at(-1)?.parts], [undefined, view.live?.parts]);
  });

  it('K10: a lost delta is fetched with the next attach', async () => {
    await using server = await FakeAgentServer.started();
    using rig = await following(server);
    const { session, opened } = rig;
    session.begin();
    session.stream(0, 'text', 'one ');
    server.copies = () => 0;
    session.stream(0, 'text', 'two ');
    server.copies = () => 1;
    session.stream(0, 'text', 'three');
    await until(opened.view, ({ live }) => live?.parts[0]?.type === 'text' && live.parts[0].text === 'one two three');
    assert.equal(server.seen('session:attach').length, 2);
  });

  it('K12: what cannot be read is a notice and is fetched again, and nothing breaks', async () => {
    await using server = await FakeAgentServer.started();
    using rig = await following(server);
    const { session, opened, client } = rig;
    for (const payload of [null, 7, 'x', [], {}, { sessionId: session.id }, { sessionId: session.id, seq: 2, type: 'message.created', at: 'x', data: {} }]) {
      for (const name of ['session:event', 'session:delta', 'session:summary', 'gateway:presence', 'server:notice']) server.broadcast(name, payload);
    }
    const notice = await until(client.notices, (value) => value !== undefined);
    assert.equal(notice?.code, 'invalid_event');
    session.execute({ sessionId: session.id, messageId: randomUUID(), text: 'still here' });
    const view = await until(opened.view, ({ seq }) => seq === session.seq);
    assert.equal(view.messages.length, 1);
    assert.equal(client.connection.get().kind, 'online');
  });

  it('K12: an event of a newer server is passed over, also among those that were missed', async () => {
    await using server = await FakeAgentServer.started();
    using rig = await following(server);
    const { session, opened } = rig;
    server.copies = () => 0;
    const event = session.emit('turn.failed', { error: { code: 'x', message: 'x' }, retryable: false });
    Object.assign(event, { type: 'plan.updated', data: { anything: true } });
    server.copies = () => 1;
    session.update({ title: 'after' });
    const view = await until(opened.view, ({ seq }) => seq === 3);
    assert.equal(view.session?.title, 'after');
    assert.equal(server.seen('session:attach').length, 2);
  });

  it("K9: an attach that is refused for now is tried again; one that is another's is gone", async () => {
    await using server = await FakeAgentServer.started();
    let refusals = 3;
    server.intercept = (name) => {
      if (name !== 'session:attach' || refusals === 0) return undefined;
      refusals -= 1;
      return refusals === 1 ? success({ nonsense: true }) : refusal('unavailable');
    };
    using rig = await following(server);
    assert.equal(rig.opened.view.get().error, undefined);
    assert.equal(server.seen('session:attach').length, 4);
    const gone = rig.client.open(randomUUID());
    assert.equal((await until(gone.view, ({ phase }) => phase !== 'loading')).phase, 'gone');
  });

  it('K9: a session that is deleted while it is open is gone, from the list as well', async () => {
    await using server = await FakeAgentServer.started();
    using rig = await following(server);
    const { session, opened, client } = rig;
    await until(client.sessions, (view) => view.items.length === 1);
    server.broadcast('session:summary', { session: session.session, deleted: true });
    await until(opened.view, ({ phase }) => phase === 'gone');
    await until(client.sessions, (view) => view.items.length === 0);
  });

  it('K21: older pages are loaded upward, each once', async () => {
    await using server = await FakeAgentServer.started();
    const session = server.session();
    session.pageSize = 4;
    for (let index = 0; index < 10; index += 1) session.execute({ sessionId: session.id, messageId: randomUUID(), text: `${index}` });
    using client = connect(server);
    const opened = client.open(session.id);
    await until(opened.view, ({ phase }) => phase === 'ready');
    assert.equal(opened.view.get().messages.length, 4);
    await Promise.all([opened.loadOlder(), opened.loadOlder()]);
    assert.deepEqual([opened.view.get().messages.length, opened.view.get().hasMore], [8, true]);
    await opened.loadOlder();
    await opened.loadOlder();
    assert.deepEqual(opened.view.get().messages, [...session.messages.values()]);
    assert.deepEqual([opened.view.get().hasMore, server.seen('session:history').length], [false, 2]);
  });

  it('K22: a session is one object however often it is opened, and is left when the last one has released it', async () => {
    await using server = await FakeAgentServer.started();
    const left: (() => void)[] = [];
    const timers = {
      set: (task: () => void, delayMs: number) => (delayMs === 2_000 ? left.push(task) : setTimeout(task, delayMs)),
      clear: (handle: unknown) => clearTimeout(handle as NodeJS.Timeout),
    };
    using rig = await following(server, { timers });
    const { opened, client, session } = rig;
    assert.equal(client.open(session.id), opened);
    opened.release();
    assert.equal(left.length, 0);
    opened.release();
    opened.release();
    assert.equal(left.length, 1);
    assert.equal(client.peek(session.id), opened);
    left[0]?.();
    assert.equal(client.peek(session.id), undefined);
    await eventually(() => server.seen('session:detach').length === 1);
  });
});

describe('requests', () => {
  it('K20: offline a request answers at once, and one that the protocol does not allow never leaves', async () => {
    await using server = await FakeAgentServer.started();
    using client = connect(server);
    const offline = await client.request('session:list', {});
    assert.equal(!offline.ok && offline.error.code, 'unavailable');
    await online(client);
    const wrong = await client.request('agent:stop', { sessionId: 'not an id' });
    assert.equal(!wrong.ok && wrong.error.code, 'invalid_payload');
    assert.equal(server.seen('agent:stop').length, 0);
  });

  it('K20: an answer of an unknown shape is an error and not an exception', async () => {
    await using server = await FakeAgentServer.started();
    using client = connect(server);
    await online(client);
    for (const answer of [undefined, null, 1, { ok: true }, { ok: false }, { ok: false, error: 'x' }, { ok: true, data: { models: 1 } }]) {
      server.intercept = (name) => (name === 'model:list' ? ((answer ?? 'nothing') as never) : undefined);
      const result = await client.request('model:list', {});
      assert.equal(!result.ok && result.error.code, 'internal');
    }
  });

  it('K20: a decision names exactly the call that was shown', async () => {
    await using server = await FakeAgentServer.started();
    using rig = await following(server);
    const { opened, session } = rig;
    server.intercept = (name) => (name === 'tool:decide' ? success({ callId: call.id, state: 'denied' }) : undefined);
    const call = sampleCall({ sessionId: session.id, inputHash: 'the-hash' });
    const result = await opened.decide(call, { decision: 'deny', reason: 'no' });
    assert.deepEqual(result, success({ callId: call.id, state: 'denied' }));
    assert.deepEqual(server.seen('tool:decide')[0]?.payload, { sessionId: session.id, callId: call.id, inputHash: 'the-hash', decision: 'deny', reason: 'no' });
  });
});

describe('lists', () => {
  it('K18: the list is loaded, follows summaries, and the newer of two wins', async () => {
    await using server = await FakeAgentServer.started();
    const [first, second] = [server.session(), server.session()];
    using client = connect(server);
    await until(client.sessions, (view) => view.status === 'ready');
    first.update({ title: 'newest' });
    await until(client.sessions, (view) => view.items[0]?.title === 'newest');
    server.broadcast('session:summary', { session: { ...first.session, seq: 1, title: 'stale' } });
    second.update({});
    second.update({});
    const view = await until(client.sessions, ({ items }) => items[0]?.id === second.id);
    assert.deepEqual(
      view.items.map((item) => item.title),
      ['A session', 'newest'],
    );
  });

  it('K18: after a reconnect both lists are as the server has them', async () => {
    await using server = await FakeAgentServer.started();
    const machine = sampleGateway();
    server.gateways = [machine];
    const removed = server.session();
    using client = connect(server);
    await until(client.sessions, (view) => view.items.length === 1);
    await until(client.gateways, (list) => list[0]?.online === true);
    await server.stop();
    server.sessions.delete(removed.id);
    const added = server.session();
    server.gateways = [{ ...machine, online: false }, sampleGateway({ name: 'desktop' })];
    await server.start();
    await until(client.sessions, (view) => view.items.length === 1 && view.items[0]?.id === added.id);
    await until(client.gateways, (list) => list.map((entry) => `${entry.name} ${entry.online}`).join() === 'desktop true,laptop false');
    server.broadcast('gateway:presence', { gateway: machine });
    await until(client.gateways, (list) => list[1]?.online === true);
  });

  it('K18, U40: whether the list of machines has come is told, and holds while the connection is lost', async () => {
    await using server = await FakeAgentServer.started();
    server.intercept = (name) => (name === 'gateway:list' ? refusal('unavailable', 'later') : undefined);
    using client = connect(server);
    await until(client.connection, ({ kind }) => kind === 'online');
    server.broadcast('gateway:presence', { gateway: sampleGateway() });
    await until(client.gateways, (list) => list.length === 1);
    assert.equal(client.gatewaysLoaded.get(), false, 'one machine is not the list');
    server.intercept = () => undefined;
    await until(client.gatewaysLoaded, (isLoaded) => isLoaded);
    await server.stop();
    await until(client.connection, ({ kind }) => kind !== 'online');
    assert.equal(client.gatewaysLoaded.get(), true);
  });

  it('E27: that other MCP servers run on the server is told to whoever shows them', async () => {
    await using server = await FakeAgentServer.started();
    using client = connect(server);
    await online(client);
    server.broadcast('mcp:changed', {});
    await until(client.mcpChanges, (count) => count === 1);
    assert.equal(client.notices.get(), undefined);
  });

  it('U4: what a server said of its end is over when it is back; another notice stays', async () => {
    await using server = await FakeAgentServer.started();
    using client = connect(server);
    await online(client);
    for (const code of ['shutting_down', 'storage_failed']) {
      server.broadcast('server:notice', { code, message: 'to be read' });
      await until(client.notices, (value) => value?.code === code);
      await server.stop();
      await until(client.connection, ({ kind }) => kind === 'waiting');
      await server.start();
      await online(client);
      assert.equal(client.notices.get()?.code, code === 'shutting_down' ? undefined : code);
    }
  });

  it('K18: a deleted session does not come back with a page that was read before', async () => {
    await using server = await FakeAgentServer.started();
    const session = sampleSession({ seq: 3 });
    let answer: () => void = () => undefined;
    server.intercept = (name) => (name === 'session:list' ? success({ sessions: [session] }) : undefined);
    server.acknowledgement = (name) => (name === 'session:list' ? new Promise((resolve) => (answer = resolve)) : 'send');
    using client = connect(server);
    await eventually(() => server.seen('session:list').length === 1);
    server.broadcast('session:summary', { session, deleted: true });
    await client.request('gateway:list', {});
    answer();
    const view = await until(client.sessions, ({ status }) => status === 'ready');
    assert.deepEqual(view.items, []);
  });

  it('K18: a list that is refused says so and is tried again by itself', async () => {
    await using server = await FakeAgentServer.started();
    server.session();
    server.intercept = (name) => (name === 'session:list' && server.seen('session:list').length < 3 ? refusal('rate_limited') : undefined);
    using client = connect(server);
    const failed = await until(client.sessions, ({ status }) => status !== 'loading');
    assert.equal(failed.error?.code, 'rate_limited');
    const view = await until(client.sessions, ({ status }) => status === 'ready');
    assert.deepEqual([view.items.length, view.error], [1, undefined]);
  });
});
