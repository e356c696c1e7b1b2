import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { AGENT_REQUESTS, AGENT_SCOPES, type AgentRequestName, SCOPES, type Scope } from '@tendon/protocol';
import { nodeRig } from '@tendon/testing';

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());

async function connectWith(scopes: readonly Scope[]) {
  const { key } = await rig.server.auth.createKey({ userId: rig.server.ownerId, name: scopes.join('+'), scopes });
  return rig.connect({ key });
}

const socket = await rig.connect();
const { session } = await socket.ask('session:create', { model: 'compatible/scripted' });

/** Passes every schema that asks for an id; what else is missing makes `invalid_payload`, which is not `forbidden` either. */
const payload = { sessionId: session.id, messageId: randomUUID(), callId: randomUUID(), ruleId: randomUUID(), text: 'hello', before: 1, title: 'changed' };
const decision = { inputHash: 'x'.repeat(43), decision: 'approve', outcome: 'done', result: { status: 'succeeded', content: [] } };

describe('A11: a key with scopes', () => {
  for (const scope of SCOPES) {
    test(`A11: good for ${scope} alone: every other request is forbidden, and changes nothing`, async () => {
      const limited = await connectWith([scope]);
      const before = await rig.sql('select to_jsonb(sessions) as row from sessions');
      const forbidden: string[] = [];
      for (const name of Object.keys(AGENT_REQUESTS) as AgentRequestName[]) {
        if (AGENT_SCOPES[name] === scope) continue;
        const answer = await limited.request(name, { ...payload, ...decision } as never);
        assert.equal(!answer.ok && answer.error.code, 'forbidden', name);
        forbidden.push(name);
      }
      assert.ok(forbidden.length > 0);
      assert.deepEqual(await rig.sql('select to_jsonb(sessions) as row from sessions'), before);
    });
  }

  test('A11: what it is good for works', async () => {
    const reader = await connectWith(['read']);
    assert.equal((await reader.ask('session:list', {})).sessions.length, 1);
    assert.equal((await reader.ask('session:attach', { sessionId: session.id })).session.id, session.id);
    const writer = await connectWith(['read', 'write']);
    assert.equal((await writer.ask('session:update', { sessionId: session.id, title: 'by the writer' })).session.title, 'by the writer');
    const decider = await connectWith(['approve']);
    const answer = await decider.request('tool:decide', { sessionId: session.id, callId: randomUUID(), inputHash: decision.inputHash, decision: 'approve' });
    assert.equal(!answer.ok && answer.error.code, 'not_found');
  });

  test('A11: without manage it is no machine’s', async () => {
    const decide = async (scopes: readonly Scope[]) => {
      const { key } = await rig.server.auth.createKey({ userId: rig.server.ownerId, name: 'machine', scopes });
      return rig.server.auth.authenticate({ token: key, headers: {}, address: '127.0.0.1', namespace: '/gateway' });
    };
    const refused = await decide(['read', 'write', 'approve']);
    assert.ok(!refused.ok && refused.code === 'unauthorized');
    assert.ok((await decide(['manage'])).ok);
  });
});
