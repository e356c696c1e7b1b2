import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { InboundPace, type PaceLimits } from './inbound-pace.ts';
import type { Entrance } from './options.ts';
import { attaching, TransportRig } from './transport-rig.ts';
import type { EngineConnection } from './wire.ts';

const LIMITS: PaceLimits = { packetsPerSecond: 10, packetBurst: 5, bytesPerSecond: 1_000, byteBurst: 2_000, packetDebt: 8 };
const NEWCOMER = { bytesPerSecond: 100, byteBurst: 200 };

/** The parts of an Engine.IO connection that are looked at, and a clock that is moved by hand. */
function paced(hasWebSocket: boolean, isNewcomer = false) {
  let at = 0;
  let floods = 0;
  const webSocket = {
    isPaused: false,
    pause: () => {
      webSocket.isPaused = true;
    },
    resume: () => {
      webSocket.isPaused = false;
    },
  };
  const connection = Object.assign(new EventEmitter(), { readyState: 'open', transport: hasWebSocket ? { socket: webSocket } : {} });
  const onFlood = (): void => {
    floods += 1;
  };
  const pace = new InboundPace(connection as unknown as EngineConnection, { limits: LIMITS, newcomer: NEWCOMER, now: () => at, onFlood });
  if (!isNewcomer) pace.allowBytes(LIMITS.bytesPerSecond);
  return {
    pace,
    connection,
    send: (count: number, data: unknown = 'x') => {
      for (let left = count; left > 0; left -= 1) connection.emit('packet', { data });
    },
    pass: (ms: number) => {
      at += ms;
    },
    isHeld: () => webSocket.isPaused,
    floods: () => floods,
  };
}

test('T21: a burst is read at once, what is more holds the connection, and the debt is paid with time', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const one = paced(true);
  one.send(5);
  assert.equal(one.isHeld(), false);
  one.send(1);
  assert.equal(one.isHeld(), true);
  one.pass(100);
  context.mock.timers.tick(100);
  assert.equal(one.isHeld(), false);
  one.send(1);
  assert.equal(one.isHeld(), true, 'the debt was paid, and no more than that');
  one.send(1_000);
  one.pass(2_000);
  context.mock.timers.tick(2_000);
  assert.equal(one.isHeld(), false, 'nobody is held for so long that it would be given up');
  assert.equal(one.floods(), 0, 'what can be held is never ended');
});

test('T21: bytes count as well, and a machine may send more of them', () => {
  const [page, machine] = [paced(true), paced(true)];
  machine.pace.allowBytes(4_000);
  for (const one of [page, machine]) {
    one.send(1, 'x'.repeat(2_000));
    one.pass(500);
    one.send(1, 'x'.repeat(1_900));
  }
  assert.deepEqual([page.isHeld(), machine.isHeld()], [true, false]);
});

test('T21: who has not signed in may send as much as handshakes take; what that was counts on when they have', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const one = paced(true, true);
  one.send(1, 'x'.repeat(150));
  assert.equal(one.isHeld(), false);
  one.send(1, 'x'.repeat(100));
  assert.equal(one.pace.holdMs(), 500);
  one.pass(500);
  context.mock.timers.tick(500);
  one.pace.allowBytes(LIMITS.bytesPerSecond);
  one.send(1, 'x'.repeat(1_800));
  assert.equal(one.isHeld(), false);
  one.send(1);
  assert.equal(one.isHeld(), true);
});

test('T21: what is binary or not ASCII counts with all its bytes', () => {
  for (const data of [Buffer.alloc(2_001), new ArrayBuffer(2_001), 'é'.repeat(1_001)]) {
    const one = paced(true);
    one.send(1, data);
    assert.equal(one.isHeld(), true);
  }
});

test('T21: who has flooded and stopped is read as before after ten seconds', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  for (const flood of ['x', 'x'.repeat(100_000)]) {
    const one = paced(true);
    one.send(10_000, flood);
    one.pass(10_500);
    context.mock.timers.tick(10_500);
    one.send(1);
    assert.equal(one.isHeld(), false);
  }
});

test('T21: a connection that ends while it is held reads its last packets, and leaves nothing behind', () => {
  const one = paced(true);
  for (let round = 0; round < 50; round += 1) one.send(10);
  assert.equal(one.connection.listenerCount('close'), 1);
  one.connection.emit('close');
  assert.deepEqual([one.isHeld(), one.connection.listenerCount('close')], [false, 0]);
});

test('T21: what cannot be held is ended when it would be too far over', () => {
  const one = paced(false);
  assert.deepEqual([one.pace.mayRead(13), one.floods()], [true, 0]);
  one.send(10);
  assert.deepEqual([one.pace.mayRead(3), one.floods()], [true, 0]);
  assert.deepEqual([one.pace.mayRead(4), one.floods()], [false, 1]);
});

test('T21: what polls is left unread by the post: for as long as it owes, two seconds at most, and ten after it has stopped', () => {
  const one = paced(false);
  one.send(1, 'x'.repeat(2_000));
  assert.equal(one.pace.holdMs(), 0);
  one.send(1, 'x'.repeat(500));
  assert.equal(one.pace.holdMs(), 500);
  one.pass(200);
  assert.equal(one.pace.holdMs(), 300);
  one.send(1, 'x'.repeat(100_000));
  assert.equal(one.pace.holdMs(), 2_000);
  one.pass(9_000);
  assert.equal(one.pace.holdMs(), 1_000, 'no more is remembered than it pays in ten seconds');
  one.pass(1_000);
  assert.deepEqual([one.pace.holdMs(), one.floods()], [0, 0]);
});

/** Counts the posts that have come as far as to be held. */
function countedPosts() {
  let count = 0;
  const admit: Entrance['admit'] = ({ method }, visit) => {
    visit.letIn();
    if (method === 'POST') count += 1;
  };
  return {
    entrance: { admit },
    until: async (wanted: number): Promise<void> => {
      while (count < wanted) await new Promise((done) => setImmediate(done));
    },
  };
}

/** What is held from here on is held until `letGo`, however busy the machine is. Nothing else in a test may wait for a timer meanwhile: fetch does. */
function holdTime({ mock }: TestContext): Disposable & { letGo(): void } {
  mock.timers.enable({ apis: ['setTimeout'] });
  const reset = (): void => mock.timers.reset();
  return {
    letGo: () => {
      mock.timers.tick(2_000);
      reset();
    },
    [Symbol.dispose]: reset,
  };
}

/** The status of the answer, once it is there. */
function postAlone(url: string, body: string, signal?: AbortSignal): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method: 'POST', agent: false, ...(signal && { signal }) }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asking.once('error', reject).end(body);
  });
}

for (const [spelling, query] of [
  ['its name is in escapes', (sid: string) => `%73id=${sid}`],
  ['another one stands before it', (sid: string) => `sid=none&sid=${sid}`],
] as const)
  test(`T2, T21: what is posted too fast is held also when the address names its session so that ${spelling}`, async (context) => {
    const pace = { packetsPerSecond: 1_000, packetBurst: 1_000, bytesPerSecond: 1_000, byteBurst: 10_000, packetDebt: 1_000 };
    const posts = countedPosts();
    await using rig = await TransportRig.start({ limits: { pace }, now: () => 0, entrance: posts.entrance });
    const other = await rig.connected('/agent', 'bob');
    const { sid } = JSON.parse((await (await fetch(rig.url('transport=polling'))).text()).slice(1)) as { sid: string };
    const post = (body: string): Promise<Response> => fetch(rig.url(`transport=polling&${query(sid)}`), { method: 'POST', body });
    await post('40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}');
    await (await fetch(rig.url(`transport=polling&sid=${sid}`))).text();
    await post(`42/agent,1["session:list",{"pad":"${'x'.repeat(12_000)}"}]`);
    using time = holdTime(context);
    const held = postAlone(rig.url(`transport=polling&${query(sid)}`), '42/agent,2["session:list",{}]');
    await posts.until(3);
    for (let round = 0; round < 20; round += 1) await other.emitWithAck('session:list', {});
    assert.equal(rig.calls.filter(({ connection }) => connection.userId === 'ada').length, 1);
    time.letGo();
    assert.equal(await held, 200);
  });

test('T21: bytes that come by polling too fast wait with their sender and are not lost, while others are answered', async (context) => {
  const pace = { packetsPerSecond: 1_000, packetBurst: 1_000, bytesPerSecond: 1_000, byteBurst: 10_000, packetDebt: 1_000 };
  // The clock of the pace stands still: what is owed is held for as long as may be.
  const posts = countedPosts();
  await using rig = await TransportRig.start({ agent: attaching ?? {}, limits: { pace }, now: () => 0, entrance: posts.entrance });
  const other = await rig.connected('/agent', 'bob');
  const { sid } = JSON.parse((await (await fetch(rig.url('transport=polling'))).text()).slice(1)) as { sid: string };
  const post = (body: string): Promise<Response> => fetch(rig.url(`transport=polling&sid=${sid}`), { method: 'POST', body });
  await post('40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}');
  await (await fetch(rig.url(`transport=polling&sid=${sid}`))).text();
  const heard = (): number => rig.calls.filter(({ connection }) => connection.userId === 'ada').length;
  await post(`42/agent,1["session:list",{"pad":"${'x'.repeat(12_000)}"}]\u001e42/agent,2["session:list",{}]`);
  const before = heard();
  using time = holdTime(context);
  const held = postAlone(rig.url(`transport=polling&sid=${sid}`), '42/agent,3["session:list",{}]');
  await posts.until(3);
  for (let round = 0; round < 20; round += 1) assert.deepEqual(await other.emitWithAck('session:list', {}), { ok: true, data: {} });
  assert.deepEqual([before, heard()], [2, 2], 'its next post is not read yet');
  time.letGo();
  assert.equal(await held, 200);
  assert.equal(heard(), 3);
  assert.equal(rig.logged('packet_flood').length, 0);
});

test('T21: what comes too fast of somebody who has not signed in waits with its sender, while others are answered', async (context) => {
  const posts = countedPosts();
  await using rig = await TransportRig.start({
    limits: { newcomerPace: { bytesPerSecond: 1_000, byteBurst: 200 } },
    now: () => 0,
    entrance: posts.entrance,
  });
  const other = await rig.connected('/agent', 'bob');
  const { sid } = JSON.parse((await (await fetch(rig.url('transport=polling'))).text()).slice(1)) as { sid: string };
  const post = (body: string): Promise<Response> => fetch(rig.url(`transport=polling&sid=${sid}`), { method: 'POST', body });
  await post(`40/agent,{"protocol":1,"client":{"name":"${'x'.repeat(200)}","version":"1"}}`);
  using time = holdTime(context);
  const held = postAlone(rig.url(`transport=polling&sid=${sid}`), '40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}');
  await posts.until(2);
  for (let round = 0; round < 20; round += 1) assert.deepEqual(await other.emitWithAck('session:list', {}), { ok: true, data: {} });
  assert.equal(rig.attempts.filter(({ token }) => token === 'ada').length, 0, 'its next post is not read yet');
  time.letGo();
  assert.equal(await held, 200);
  assert.equal(rig.attempts.filter(({ token }) => token === 'ada').length, 1);
});

test('T21: a post that is given up while it is held is forgotten, and its connection ends as others do', async (context) => {
  const pace = { packetsPerSecond: 1_000, packetBurst: 1_000, bytesPerSecond: 1_000, byteBurst: 10, packetDebt: 1_000 };
  const posts = countedPosts();
  await using rig = await TransportRig.start({ limits: { pace }, now: () => 0, entrance: posts.entrance });
  const { sid } = JSON.parse((await (await fetch(rig.url('transport=polling'))).text()).slice(1)) as { sid: string };
  const url = rig.url(`transport=polling&sid=${sid}`);
  await fetch(url, { method: 'POST', body: '40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}' });
  using time = holdTime(context);
  const given = new AbortController();
  const posting = postAlone(url, '42/agent,1["session:list",{}]', given.signal);
  await posts.until(2);
  given.abort();
  await assert.rejects(posting, /aborted/);
  time.letGo();
  await rig.transport.close();
  assert.deepEqual([rig.calls.length, rig.transport.connections().open], [0, 0]);
});
