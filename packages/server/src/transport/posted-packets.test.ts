import assert from 'node:assert/strict';
import { test } from 'node:test';
import { success } from '@tendon/protocol';
import { DEFAULT_TRANSPORT_LIMITS } from './limits.ts';
import { type RigOptions, TransportRig } from './transport-rig.ts';

const MANY = 2_000;
const NO_METER: RigOptions['limits'] = { eventBurst: 100_000, requests: { ...DEFAULT_TRANSPORT_LIMITS.requests, waitingOfHousehold: 100_000 } };
const events = (count: number): string[] => Array.from({ length: count }, (_, number) => `42/agent,${number}["session:create",{"title":"${number}"}]`);

/** Somebody who polls and is signed in as ada. */
async function polling(rig: TransportRig) {
  const { sid } = JSON.parse((await (await fetch(rig.url('transport=polling'))).text()).slice(1)) as { sid: string };
  const url = rig.url(`transport=polling&sid=${sid}`);
  const post = (...packets: string[]): Promise<Response> => fetch(url, { method: 'POST', body: packets.join('\u001e') });
  await post('40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}');
  await (await fetch(url)).text();
  return { post };
}

const titlesOf = (rig: TransportRig): string[] => rig.calls.flatMap(({ payload }) => (payload as { title?: string }).title ?? []);

test('T21: while the many packets of one body are read, somebody else is answered; all are read in order before the post is answered', async () => {
  let ask: (() => void) | undefined;
  await using rig = await TransportRig.start({
    agent: {
      'session:create': async () => {
        ask?.();
        return success({});
      },
    },
    limits: NO_METER,
  });
  const [other, ada] = [await rig.connected('/agent', 'bob'), await polling(rig)];
  const asked = Promise.withResolvers<unknown>();
  ask = () => {
    ask = undefined;
    asked.resolve(other.emitWithAck('session:list', {}));
  };
  assert.equal((await ada.post(...events(MANY))).status, 200);
  assert.equal(titlesOf(rig).length, MANY);
  assert.deepEqual(
    titlesOf(rig),
    Array.from({ length: MANY }, (_, number) => String(number)),
  );
  assert.deepEqual(await asked.promise, { ok: true, data: {} });
  const at = rig.calls.findIndex(({ name }) => name === 'session:list');
  assert.ok(at < MANY / 2, `${at} came before the other's`);
});

test('T21: what stands behind the end of a connection in a body is not read, and a connection that ends meanwhile reads no more', async () => {
  await using rig = await TransportRig.start({ limits: NO_METER });
  const ada = await polling(rig);
  const packets = events(1_000);
  await ada.post(...packets.slice(0, 120), '1', ...packets.slice(120));
  assert.ok(titlesOf(rig).length <= 120, `${titlesOf(rig).length}`);
  assert.deepEqual(rig.transport.connections(), { agent: 0, gateway: 0, open: 0 });
});

test('T21, H34: a body of far too many packets ends its connection before any of it is read', async () => {
  await using rig = await TransportRig.start({ limits: NO_METER });
  const other = await rig.connected('/agent', 'bob');
  const ada = await polling(rig);
  await ada.post(...events(10_000));
  assert.equal(rig.calls.length, 0);
  assert.deepEqual(
    rig.refusals.cut().find(({ value }) => value > 0),
    { labels: { code: 'packet_flood' }, value: 1 },
  );
  assert.deepEqual(
    rig.logged('packet_flood').map(({ userId }) => userId),
    ['ada'],
  );
  assert.deepEqual(await other.emitWithAck('session:list', {}), { ok: true, data: {} });
  assert.deepEqual(rig.transport.connections(), { agent: 1, gateway: 0, open: 1 });
});

test('T21: the official client that polls and has two thousand events waiting when it connects is not cut', async () => {
  await using rig = await TransportRig.start();
  const client = rig.client('/agent', 'ada', { transports: ['polling'] });
  const answers = Promise.all(Array.from({ length: MANY }, () => client.emitWithAck('session:list', {})));
  client.connect();
  const codes = (await answers).map((answer: { ok: boolean; error?: { code: string } }) => answer.error?.code ?? 'ok');
  assert.deepEqual([...new Set(codes)].toSorted(), ['ok', 'rate_limited']);
  assert.equal(client.connected, true);
});

test('T1, T21: who asks for JSONP, whose bodies hold packets that are not seen from outside, begins no session', async () => {
  await using rig = await TransportRig.start({ limits: NO_METER });
  for (const query of ['j=0', '%6a=0', 'j=', 'x=1&j=0&j=1']) {
    const refused = await fetch(rig.url(`transport=polling&${query}`));
    assert.deepEqual(
      [refused.status, await refused.json()],
      [400, { code: 'unsupported_protocol', message: 'Polling by JSONP is not served: leave "j" out.' }],
    );
  }
  assert.equal(rig.transport.connections().open, 0);
});
