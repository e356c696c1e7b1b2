import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeRig } from '@tendon/testing';

test('H34: /metrics tells what was refused and cut, each as a counter, and nothing that a client made up', async () => {
  await using rig = await nodeRig({ hasGateway: false });
  await assert.rejects(rig.connect({ key: 'a-made-up-key' }));
  const socket = await rig.connect();
  await socket.request('session:attach', { sessionId: 'a-made-up-id' });
  await fetch(`${rig.url}/api/me`);
  const page = await (await fetch(`${rig.url}/metrics`)).text();
  for (const line of [
    '# TYPE tendon_refusals_total counter',
    'tendon_refusals_total{where="/agent",code="unauthorized"} 1',
    'tendon_refusals_total{where="/agent",code="invalid_payload"} 1',
    'tendon_refusals_total{where="http",code="unauthorized"} 1',
    'tendon_refusals_total{where="/gateway",code="unauthorized"} 0',
    'tendon_cut_connections_total{code="slow_consumer"} 0',
    'tendon_unsent_bytes 0',
    'tendon_unfinished_bytes 0',
  ])
    assert.ok(page.split('\n').includes(line), `${line} is not in\n${page}`);
  assert.doesNotMatch(page, /made-up/);
  assert.equal((await (await fetch(`${rig.url}/metrics`)).text()).match(/tendon_refusals_total\{where="http",code="unauthorized"\} (\d+)/)?.[1], '1');
});
