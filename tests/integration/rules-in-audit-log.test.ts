import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { nodeRig, runs, says } from '@tendon/testing';

interface Line {
  readonly action: string;
  readonly about: string;
  readonly address: string;
  readonly credential_id: string;
  readonly user_id: string;
}

test('A12: a rule that is stored or revoked gets one line with who, what and where', async () => {
  await using rig = await nodeRig();
  const lines = (): Promise<Line[]> =>
    rig.sql<Line>(`select action, about, address, credential_id, user_id from audit_entries where action like 'rule%' order by id`);
  const session = await rig.open();
  for (const [command, scope] of [
    ['echo once', 'once'],
    ['echo here', 'session'],
    ['echo always', 'always'],
  ] as const) {
    rig.model.script([runs(command)], says('Done.'));
    await session.say(command);
    const call = await session.untilCall('awaiting_approval');
    await session.decide(call, 'approve', { scope });
    // The same decision again: it stands already, and stores nothing.
    await session.decide(call, 'approve', { scope });
    await session.untilStatus('idle');
  }
  const { rules } = await session.socket.ask('rule:list', {});
  const always = rules.find(({ subject }) => subject === 'echo always');
  assert.ok(always);
  const other = await rig.connect({ key: (await rig.addUser()).key });
  assert.equal((await other.request('rule:revoke', { ruleId: always.id })).ok, false);
  await session.socket.ask('rule:revoke', { ruleId: always.id });
  assert.equal((await session.socket.request('rule:revoke', { ruleId: always.id })).ok, false);
  const found = await lines();
  const place = `in ${rig.workspace} on ${hostname()}`;
  assert.deepEqual(
    found.map(({ action, about }) => [action, about]),
    [
      ['rule_stored', `bash: echo here ${place}, in one session only`],
      ['rule_stored', `bash: echo always ${place}`],
      ['rule_revoked', `bash: echo always ${place}`],
    ],
  );
  for (const line of found) {
    assert.equal(line.user_id, rig.server.ownerId);
    assert.match(line.address, /127\.0\.0\.1$/);
    assert.match(line.credential_id, /^[0-9a-f-]{36}$/);
  }
});
