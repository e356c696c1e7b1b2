import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sandboxState } from '@tendon/gateway/sandbox';
import type { Gateway } from '@tendon/protocol';
import { type AgentSocket, nodeRig } from '@tendon/testing';
import { MachineSocket } from '../attacks/machine-socket.ts';

async function machines(socket: AgentSocket): Promise<Gateway[]> {
  return (await socket.ask('gateway:list', {})).gateways;
}

test('G40, D23: a machine tells of its sandbox when it greets; every device is told, and it is kept when the machine has left', async () => {
  await using rig = await nodeRig({ hasGateway: false });
  const socket = await rig.connect();
  const presence = (): Gateway[] => socket.received.flatMap((entry) => (entry.name === 'gateway:presence' ? [entry.notice.gateway] : []));
  const gateway = await rig.startGateway();
  const online = await socket.until('the machine', () => presence().find((one) => one.online));
  assert.deepEqual(online.sandbox, await sandboxState());
  await gateway.close();
  await socket.until('its leave', () => presence().some((one) => !one.online));
  assert.deepEqual((await machines(socket))[0]?.sandbox, await sandboxState());
  await writeFile(join(rig.home, 'gateway-policy.json'), JSON.stringify({ version: 1, rules: [], sandbox: { mode: 'off' } }));
  await rig.startGateway();
  const [again] = await machines(socket);
  assert.deepEqual(again?.sandbox, { kind: 'none', reason: 'its policy file switches it off' });
});

test('L10, D23: a machine that takes approvals on its own page alone says so when it greets; it is kept until it says otherwise', async () => {
  await using rig = await nodeRig({ hasGateway: false });
  const socket = await rig.connect();
  const policy = (more: object): Promise<void> => writeFile(join(rig.home, 'gateway-policy.json'), JSON.stringify({ version: 1, rules: [], ...more }));
  await policy({ requireLocalApproval: true });
  const gateway = await rig.startGateway();
  await socket.until('the machine', () =>
    socket.received.some(({ name, notice }) => name === 'gateway:presence' && 'gateway' in notice && notice.gateway.localApprovalOnly === true),
  );
  await gateway.close();
  assert.equal((await machines(socket))[0]?.localApprovalOnly, true);
  await policy({});
  await rig.startGateway();
  const [again] = await machines(socket);
  assert.ok(again && !('localApprovalOnly' in again));
});

test('G40: of an older gateway, which says nothing, it is not known; what it said before does not stay', async () => {
  await using rig = await nodeRig({ hasGateway: false });
  const socket = await rig.connect();
  await using machine = await MachineSocket.connect({ url: rig.url, key: rig.key });
  const gatewayId = '0199c0de-0000-7000-8000-0000000000aa';
  const said = { kind: 'none', reason: 'bubblewrap is not installed', isRequired: true };
  assert.ok((await machine.hello({ gatewayId, sandbox: said })).ok);
  assert.deepEqual((await machines(socket))[0]?.sandbox, said);
  await using older = await MachineSocket.connect({ url: rig.url, key: rig.key });
  assert.ok((await older.hello({ gatewayId })).ok);
  const [known] = await machines(socket);
  assert.ok(known && !('sandbox' in known));
  for (const sandbox of [{ kind: '' }, { kind: 'none', reason: 'x'.repeat(501) }, 'none', { reason: 'no kind' }]) {
    const answer = await older.hello({ gatewayId, sandbox });
    assert.equal(answer.ok ? '' : answer.error.code, 'invalid_payload');
  }
});
