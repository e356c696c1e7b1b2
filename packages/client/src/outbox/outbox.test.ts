import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AgentRequest, type ErrorCode, refusal, success } from '@tendon/protocol';
import { v7 as uuidV7 } from 'uuid';
import { FakeAgentServer } from '../../test-support/fake-agent-server.ts';
import { connect, eventually, online, until } from '../../test-support/rig.ts';
import type { OutboxMessage, OutboxStorage } from '../types.ts';
import { Outbox } from './outbox.ts';
import { outcomeOf } from './outcome.ts';
import { memoryOutbox, type WebStorage, webStorageOutbox } from './storage.ts';

function webStorage(): WebStorage & { readonly entries: Map<string, string> } {
  const entries = new Map<string, string>();
  return {
    entries,
    get length() {
      return entries.size;
    },
    key: (index) => [...entries.keys()][index] ?? null,
    getItem: (key) => entries.get(key) ?? null,
    setItem: (key, value) => void entries.set(key, value),
    removeItem: (key) => void entries.delete(key),
  };
}

function message(text: string, sessionId: string): OutboxMessage {
  return { sessionId, messageId: uuidV7(), text, mode: 'queue', createdAt: '2026-01-01T00:00:00.000Z', state: 'waiting' };
}

/** An outbox whose server and timers the test plays. */
function rig(storage: OutboxStorage = memoryOutbox()) {
  const sent: { request: AgentRequest<'agent:execute'>; answer: (code: ErrorCode | 'ok') => Promise<void> }[] = [];
  const timers: { task: () => void; delayMs: number }[] = [];
  const acknowledged: string[] = [];
  let storageErrors = 0;
  const outbox = new Outbox({
    storage,
    execute: (request) =>
      new Promise((resolve) => {
        const answer = async (code: ErrorCode | 'ok') => {
          resolve(code === 'ok' ? success({ messageId: request.messageId, seq: 1, queued: false }) : refusal(code));
          await new Promise(setImmediate);
        };
        sent.push({ request, answer });
      }),
    random: () => 0.5,
    timers: { set: (task, delayMs) => timers.push({ task, delayMs }), clear: (handle) => void timers.splice(Number(handle) - 1, 1) },
    onChange: () => undefined,
    onAcknowledged: (done) => acknowledged.push(done.text),
    onStorageError: () => {
      storageErrors += 1;
    },
  });
  const states = (sessionId: string) => outbox.of(sessionId).map((entry) => `${entry.text} ${entry.state}`);
  return { outbox, sent, timers, acknowledged, states, storageErrors: () => storageErrors };
}

describe('outbox', () => {
  it('K14: one message of a session is on its way at a time, in the order they were written; sessions do not wait for each other', async () => {
    const { outbox, sent, acknowledged, states } = rig();
    for (const [text, sessionId] of [
      ['a1', 'a'],
      ['a2', 'a'],
      ['b1', 'b'],
    ] as const)
      outbox.add(message(text, sessionId));
    assert.equal(sent.length, 0);
    outbox.setOnline(true);
    assert.deepEqual(
      sent.map(({ request }) => request.text),
      ['a1', 'b1'],
    );
    assert.deepEqual(states('a'), ['a1 sending', 'a2 waiting']);
    await sent[0]?.answer('ok');
    assert.deepEqual(
      sent.map(({ request }) => request.text),
      ['a1', 'b1', 'a2'],
    );
    assert.deepEqual(acknowledged, ['a1']);
  });

  it('K15: a refusal that may pass waits and goes again under the same id; the next one waits behind it', async () => {
    const { outbox, sent, timers, states } = rig();
    outbox.setOnline(true);
    outbox.add(message('a1', 'a'));
    outbox.add(message('a2', 'a'));
    await sent[0]?.answer('unavailable');
    assert.deepEqual(states('a'), ['a1 waiting', 'a2 waiting']);
    assert.deepEqual(
      timers.map((timer) => timer.delayMs),
      [250],
    );
    timers[0]?.task();
    await sent[1]?.answer('internal');
    assert.equal(timers[1]?.delayMs, 500);
    assert.equal(sent[1]?.request.messageId, sent[0]?.request.messageId);
  });

  it('K15: a refusal for good keeps the text and its reason until the person retries or discards it, and lets the next one go', async () => {
    const { outbox, sent, states } = rig();
    outbox.setOnline(true);
    const [first, second] = [message('a1', 'a'), message('a2', 'a')];
    outbox.add(first);
    outbox.add(second);
    await sent[0]?.answer('too_large');
    assert.deepEqual(states('a'), ['a1 refused', 'a2 sending']);
    assert.equal(outbox.of('a')[0]?.error?.code, 'too_large');
    outbox.retry('a', first.messageId);
    await sent[1]?.answer('conflict');
    assert.deepEqual(states('a'), ['a1 sending', 'a2 refused']);
    outbox.discard('a', first.messageId);
    assert.deepEqual(states('a'), ['a1 sending', 'a2 refused'], 'one on its way is not touched');
    outbox.discard('a', second.messageId);
    assert.deepEqual(states('a'), ['a1 sending']);
  });

  it('K15: the table of error codes decides what may go again', () => {
    const again = (['invalid_payload', 'not_found', 'conflict', 'too_large', 'rate_limited', 'unavailable', 'internal'] as const).filter(
      (code) => outcomeOf(refusal(code), 1, 0).kind === 'try_later',
    );
    assert.deepEqual(again, ['rate_limited', 'unavailable', 'internal']);
    assert.deepEqual(outcomeOf(refusal('rate_limited', 'slow', { retryAfterMs: 900 }), 1, 0.5), { kind: 'try_later', delayMs: 1_150 });
  });

  it('K2: of a pause that the server asks for a day is kept: a timer takes more than 25 for no time at all', () => {
    const longest = outcomeOf(refusal('rate_limited', 'slow', { retryAfterMs: 1e12 }), 1, 0);
    assert.deepEqual(longest, { kind: 'try_later', delayMs: 24 * 3_600_000 });
  });

  it('K13: a lost connection sends it again at once when it is back, and a message seen in the history is not sent again', async () => {
    const { outbox, sent, timers, states } = rig();
    outbox.setOnline(true);
    const first = message('a1', 'a');
    outbox.add(first);
    outbox.setOnline(false);
    await sent[0]?.answer('unavailable');
    assert.deepEqual([states('a'), timers.length], [['a1 waiting'], 0]);
    outbox.confirm('a', first.messageId);
    outbox.setOnline(true);
    assert.deepEqual([states('a'), sent.length], [[], 1]);
  });

  it('K17: what another tab finished or discarded is not sent, and what it is sending is sent under the same id', () => {
    const storage = webStorage();
    const writer = rig(webStorageOutbox(storage));
    const [kept, discarded] = [message('kept', 'a'), message('discarded', 'a')];
    writer.outbox.add(discarded);
    writer.outbox.add(kept);
    const other = rig(webStorageOutbox(storage));
    assert.deepEqual(other.states('a').toSorted(), ['discarded waiting', 'kept waiting']);
    writer.outbox.discard('a', discarded.messageId);
    writer.outbox.setOnline(true);
    other.outbox.setOnline(true);
    for (const tab of [writer, other])
      assert.deepEqual(
        tab.sent.map(({ request }) => request.messageId),
        [kept.messageId],
      );
  });

  it('K17: a storage that is full or forbidden loses nothing of this tab', async () => {
    const refuse = () => {
      throw new Error('QuotaExceededError');
    };
    const { outbox, sent, acknowledged, storageErrors } = rig({ list: refuse, put: refuse, remove: refuse });
    outbox.add(message('a1', 'a'));
    outbox.setOnline(true);
    await sent[0]?.answer('ok');
    assert.deepEqual(acknowledged, ['a1']);
    assert.ok(storageErrors() > 0);
  });

  it('K17: entries that are not messages are left out, and other keys are not touched', () => {
    const storage = webStorage();
    const outbox = webStorageOutbox(storage);
    const good = message('good', 'a');
    outbox.put(good);
    for (const [key, value] of [
      ['tendon.outbox.1', '{'],
      ['tendon.outbox.2', 'null'],
      ['tendon.outbox.3', '{"sessionId":1}'],
      ['theme', 'dark'],
    ] as const)
      storage.setItem(key, value);
    assert.deepEqual(outbox.list(), [good]);
    outbox.remove(good.messageId);
    assert.deepEqual(outbox.list(), []);
    assert.equal(storage.getItem('theme'), 'dark');
  });
});

describe('outbox over real sockets', () => {
  it('K13: acknowledgements that are lost make no second message', async () => {
    await using server = await FakeAgentServer.started();
    const session = server.session();
    let losses = 5;
    server.acknowledgement = (name) => {
      if (name !== 'agent:execute' || losses === 0) return 'send';
      losses -= 1;
      return 'lose';
    };
    using client = connect(server, { requestTimeoutMs: 100, random: () => 0 });
    await online(client);
    // Without its events only acknowledgements can tell that a message has arrived.
    server.intercept = (name) => (name === 'session:attach' ? refusal('unavailable') : undefined);
    const held = client.open(session.id);
    const ids = ['one', 'two', 'three'].map((text) => held.send(text));
    await eventually(() => session.messages.size === 3 && losses === 0);
    await eventually(() => server.seen('agent:execute').length >= 8);
    server.intercept = () => undefined;
    await until(held.view, (view) => view.outbox.length === 0);
    assert.deepEqual([...session.messages.keys()], ids);
    assert.deepEqual(
      [...session.messages.values()].map((entry) => entry.parts),
      ['one', 'two', 'three'].map((text) => [{ type: 'text', text }]),
    );
  });

  it('K13: messages written offline are stored, survive the process and go out in order when the server is there', async () => {
    const server = await FakeAgentServer.started();
    const session = server.session();
    await server.stop();
    const storage = webStorage();
    {
      using client = connect(server, { storage: webStorageOutbox(storage) });
      for (const text of ['one', 'two', 'three']) client.open(session.id).send(text);
      assert.equal(storage.entries.size, 3);
    }
    await server.start();
    using client = connect(server, { storage: webStorageOutbox(storage) });
    const opened = client.open(session.id);
    assert.deepEqual(
      opened.view.get().outbox.map((entry) => entry.text),
      ['one', 'two', 'three'],
    );
    await until(opened.view, (view) => view.outbox.length === 0 && view.messages.length === 3);
    assert.deepEqual(
      [...session.messages.values()].map((entry) => entry.parts[0]),
      ['one', 'two', 'three'].map((text) => ({ type: 'text', text })),
    );
    assert.equal(storage.entries.size, 0);
    await server.stop();
  });

  it('K16: an acknowledged message stays in view until its event is here, and is never there twice', async () => {
    await using server = await FakeAgentServer.started();
    const session = server.session();
    using client = connect(server);
    const opened = client.open(session.id);
    await until(opened.view, (view) => view.phase === 'ready');
    const counts = new Set<number>();
    const count = () => counts.add(opened.view.get().outbox.length + opened.view.get().messages.length);
    // The event is lost, so that only the next gap brings it.
    server.copies = (name) => (name === 'session:event' ? 0 : 1);
    const messageId = opened.send('hello');
    count();
    opened.view.subscribe(count);
    await eventually(() => session.messages.size === 1);
    await until(opened.view, (view) => view.outbox[0]?.state === 'sending');
    await client.request('model:list', {});
    assert.deepEqual(
      opened.view.get().outbox.map((entry) => entry.messageId),
      [messageId],
    );
    server.copies = () => 1;
    session.update({ title: 'new' });
    await until(opened.view, (view) => view.messages.length === 1);
    assert.deepEqual(opened.view.get().outbox, []);
    assert.deepEqual([...counts], [1]);
  });

  it('K15: what the protocol does not allow is refused here, with the text kept, and costs no connection', async () => {
    await using server = await FakeAgentServer.started();
    const session = server.session();
    using client = connect(server);
    const opened = client.open(session.id);
    await online(client);
    opened.send('x'.repeat(5 * 1024 * 1024));
    const view = await until(opened.view, ({ outbox }) => outbox[0]?.state === 'refused');
    assert.equal(view.outbox[0]?.error?.code, 'too_large');
    assert.equal(server.handshakes.length, 1);
    assert.equal(server.seen('agent:execute').length, 0);
  });
});
