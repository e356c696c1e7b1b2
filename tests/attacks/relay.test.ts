import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { LocalApprovals } from '@tendon/gateway/parts';
import {
  AGENT_NAMESPACE,
  AGENT_NOTICES,
  AGENT_REQUESTS,
  type AgentNoticeName,
  type AgentRequestName,
  type Call,
  PROTOCOL_VERSION,
  type Result,
  SOCKET_PATH,
  validate,
} from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';
import { relayRig, until } from '@tendon/testing';
import { io, type Socket } from 'socket.io-client';
import { z } from 'zod';
import { Random } from '../simulation/random.ts';
import { damaged } from './damage.ts';
import { evilUpstream } from './evil-upstream-rig.ts';

/*
 * A relay between a page and a server that both say what they should not: what does not fit the protocol never reaches the other side, and
 * an approval counts only for what was shown.
 */

const GATEWAY_ID = '0199c0de-0000-7000-8000-00000000aaaa';
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
const upstream = stack.use(await evilUpstream());
const approvals = new LocalApprovals(GATEWAY_ID);
const front = stack.use(await relayRig({ serverUrl: upstream.url, key: 'tdn_key', approvals }));
const cookie = await front.signIn();
beforeEach(() => {
  upstream.heard.length = 0;
  upstream.answer = { ok: true, data: {} };
});

interface Page {
  readonly socket: Socket;
  readonly heard: { readonly name: string; readonly payload: unknown }[];
  ask(name: string, payload: unknown): Promise<Result<unknown>>;
}

async function openPage(): Promise<Page> {
  const socket = io(new URL(AGENT_NAMESPACE, front.relay.url).href, {
    ...{ path: SOCKET_PATH, reconnection: false, forceNew: true, transports: ['websocket'] },
    ...{ auth: { protocol: PROTOCOL_VERSION, client: { name: 'page', version: '1' } }, extraHeaders: { Cookie: cookie, Origin: front.relay.url } },
  });
  stack.defer(() => void socket.disconnect());
  const heard: Page['heard'] = [];
  socket.onAny((name: string, payload: unknown) => heard.push({ name, payload }));
  await new Promise((resolve, reject) => socket.once('connect', () => resolve(undefined)).once('connect_error', reject));
  return { socket, heard, ask: (name, payload) => socket.timeout(15_000).emitWithAck(name, payload) as Promise<Result<unknown>> };
}

interface Frozen {
  readonly payloads: readonly unknown[];
  readonly data?: readonly unknown[];
}

function fixtures(name: string): Record<string, Frozen> {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../../packages/protocol/fixtures/v1', `${name}.json`), 'utf8')) as Record<string, Frozen>;
}

/** As JSON carries it. */
function carried(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function codeOf(notice: unknown): unknown {
  return (notice as { code?: unknown } | undefined)?.code;
}

const DAMAGES = 60;
const page = await openPage();

describe('what a page sends', () => {
  for (const [name, { payloads }] of Object.entries(fixtures('agent-requests'))) {
    test(`L5: ${name}: good packets pass as they came, ${DAMAGES} damaged ones are refused with path and reason and go nowhere`, async () => {
      const schema = AGENT_REQUESTS[name as AgentRequestName].payload;
      const random = new Random(name.length * 7_919);
      for (const payload of payloads) {
        await page.ask(name, payload);
        assert.deepEqual(upstream.heard.splice(0), [{ name, payload }]);
      }
      let refused = 0;
      for (let index = 0; index < DAMAGES; index += 1) {
        const packet = carried(damaged(random, random.pick(payloads)));
        const isGood = validate(schema, packet).ok;
        const answer = await page.ask(name, packet);
        const heard = upstream.heard.splice(0);
        if (isGood) assert.deepEqual(heard, [{ name, payload: packet ?? null }]);
        else {
          refused += 1;
          assert.deepEqual(heard, [], JSON.stringify(packet));
          assert.ok(!answer.ok);
          assert.match(answer.error.code, /^(invalid_payload|too_large)$/);
          assert.ok(
            Array.isArray(answer.error.details) && answer.error.details.every(({ path, reason }) => typeof path === 'string' && typeof reason === 'string'),
          );
        }
      }
      assert.ok(refused > 0, 'none was damaged enough');
    });
  }

  test('L5: events that the protocol does not have, odd arguments and what only a machine may send go nowhere', async () => {
    for (const name of [
      'tool:call',
      'gateway:hello',
      'tool:output',
      'tool:started',
      'constructor',
      '__proto__',
      'toString',
      'session:event',
      'x'.repeat(10_000),
    ]) {
      const answer = await page.ask(name, {});
      assert.equal(answer.ok ? '' : answer.error.code, 'invalid_payload', name);
    }
    page.socket.emit('agent:stop');
    page.socket.emit('agent:stop', undefined, { sessionId: randomUUID() });
    page.socket.emit('session:list', { limit: 'x' });
    page.socket.emit('tool:result', Buffer.from('{}'));
    await page.ask('session:list', {});
    assert.deepEqual(upstream.heard, [{ name: 'session:list', payload: {} }]);
    assert.equal(page.socket.connected, true);
  });
});

describe('what a server sends', () => {
  for (const [name, { payloads }] of Object.entries(fixtures('agent-notices'))) {
    test(`L5: ${name}: good packets pass as they came, ${DAMAGES} damaged ones are told of and not passed on`, async () => {
      const schema = AGENT_NOTICES[name as AgentNoticeName];
      const random = new Random(name.length * 104_729);
      const packets = [...payloads, ...Array.from({ length: DAMAGES }, () => carried(damaged(random, random.pick(payloads))))];
      page.heard.length = 0;
      for (const packet of packets) upstream.tell(name, packet);
      await until({ what: 'all to be told of', pollMs: 5, check: () => (page.heard.length >= packets.length ? true : undefined) });
      packets.forEach((packet, index) => {
        const heard = page.heard[index];
        if (validate(schema, packet).ok) assert.deepEqual(heard, { name, payload: packet ?? null });
        else assert.deepEqual([heard?.name, codeOf(heard?.payload)], ['server:notice', 'not_passed_on'], JSON.stringify(packet));
      });
    });
  }

  for (const [name, { payloads, data }] of Object.entries(fixtures('agent-requests'))) {
    test(`L5: answers to ${name}: good ones pass, damaged ones become a refusal`, async () => {
      const schema = z.object({ ok: z.literal(true), data: AGENT_REQUESTS[name as AgentRequestName].data });
      const random = new Random(name.length * 15_485_863);
      const good = (data ?? []).map((one) => ({ ok: true, data: one }));
      for (const answer of good) {
        upstream.answer = answer;
        assert.deepEqual(await page.ask(name, payloads[0]), answer);
      }
      for (let index = 0; index < DAMAGES; index += 1) {
        const answer = carried(damaged(random, random.pick(good)));
        upstream.answer = answer;
        const told = await page.ask(name, payloads[0]);
        if (validate(schema, answer).ok) assert.deepEqual(told, answer);
        else assert.equal(told.ok ? JSON.stringify(answer) : told.error.code, 'internal');
      }
    });
  }

  test('L5: refusals pass with code, words and details; what is no refusal does not', async () => {
    const refusal = { ok: false, error: { code: 'conflict', message: 'The state has changed.', details: { seq: 7 } } };
    upstream.answer = refusal;
    assert.deepEqual(await page.ask('session:list', {}), refusal);
    for (const answer of [null, 7, 'ok', [], {}, { ok: 'true', data: {} }, { ok: false }, { ok: false, error: { code: 'evil', message: '' } }, { error: {} }]) {
      upstream.answer = answer;
      const told = await page.ask('session:list', {});
      assert.equal(told.ok ? '' : told.error.code, 'internal', JSON.stringify(answer));
    }
  });

  test('L5: events that /agent does not have are told of and not passed on', async () => {
    page.heard.length = 0;
    const names = ['tool:call', 'tool:cancel', 'agent:execute', 'session:attach', 'eval', '__proto__', 'constructor'];
    for (const name of names) upstream.tell(name, {});
    await until({ what: 'all to be told of', pollMs: 5, check: () => (page.heard.length >= names.length ? true : undefined) });
    assert.ok(page.heard.every(({ name, payload }) => name === 'server:notice' && codeOf(payload) === 'not_passed_on'));
  });
});

describe('approvals', () => {
  const sessionId = randomUUID();

  function callOf(input: unknown, hashed: unknown = input): Call {
    const tool = 'bash';
    const workspace = '/work';
    const hash = inputHash({ tool, input: hashed, workspace, gatewayId: GATEWAY_ID });
    const at = '2026-11-28T10:00:00.000Z';
    return {
      ...{ id: randomUUID(), sessionId, messageId: randomUUID(), tool, kind: 'local', effect: 'execute', input, inputHash: hash, state: 'awaiting_approval' },
      ...{ gatewayId: GATEWAY_ID, workspace, createdAt: at },
    } as Call;
  }

  let seq = 0;
  async function show(call: Call): Promise<void> {
    seq += 1;
    page.heard.length = 0;
    upstream.tell('session:event', { sessionId, seq, at: '2026-11-28T10:00:00.000Z', type: 'call.requested', data: { call } });
    await until({ what: 'the call to be shown', pollMs: 5, check: () => (page.heard.some(({ name }) => name === 'session:event') ? true : undefined) });
  }

  const decide = (call: Call, more: object = {}) =>
    page.ask('tool:decide', { sessionId, callId: call.id, inputHash: call.inputHash, decision: 'approve', ...more });

  test('L7: what was shown and approved here counts, with its own hash and no other', async () => {
    const call = callOf({ command: 'ls' });
    await show(call);
    assert.equal(approvals.has(call.id, call.inputHash), false, 'shown is not approved');
    await decide(call, { inputHash: 'another' });
    assert.equal(approvals.has(call.id, 'another'), false);
    await decide(call, { decision: 'deny' });
    assert.equal(approvals.has(call.id, call.inputHash), false);
    await decide(call);
    assert.equal(approvals.has(call.id, call.inputHash), true);
    assert.equal(approvals.has(call.id, 'another'), false);
  });

  test('L7: a call that is shown as something else cannot be approved, by whichever way it is shown', async () => {
    const forged = callOf({ command: 'ls' }, { command: 'rm -rf /' });
    await show(forged);
    const answer = await decide(forged);
    assert.equal(answer.ok ? '' : answer.error.code, 'conflict');
    assert.deepEqual(
      upstream.heard.filter(({ name }) => name === 'tool:decide'),
      [],
    );
    assert.equal(approvals.has(forged.id, forged.inputHash), false);
    // Right at first, something else afterwards, in an answer.
    const turned = callOf({ command: 'ls' });
    await show(turned);
    const session = (fixtures('agent-requests')['session:create']?.data?.[0] as { session: object } | undefined)?.session;
    upstream.answer = { ok: true, data: { session, messages: [], calls: [{ ...turned, input: { command: 'rm -rf /' } }], seq: 1, hasMore: false } };
    assert.equal((await page.ask('session:attach', { sessionId })).ok, true);
    upstream.answer = { ok: true, data: { callId: turned.id, state: 'queued' } };
    assert.equal((await decide(turned)).ok, false);
    assert.equal(approvals.has(turned.id, turned.inputHash), false);
  });

  test('L7: a call that was never shown here, and one of another machine, are not approved for this one', async () => {
    const unseen = callOf({ command: 'ls' });
    await decide(unseen);
    assert.equal(approvals.has(unseen.id, unseen.inputHash), false);
    const elsewhere = { ...callOf({ command: 'ls' }), gatewayId: randomUUID() };
    await show(elsewhere);
    await decide(elsewhere);
    assert.equal(approvals.has(elsewhere.id, elsewhere.inputHash), false);
  });
});

test('L4: what the server says the moment it lets somebody in arrives in order, and nothing is heard twice', async () => {
  for (let index = 0; index < 100; index += 1) upstream.welcome.push({ name: 'server:notice', payload: { code: 'count', message: String(index) } });
  const late = await openPage();
  await until({ what: 'all of it', pollMs: 5, check: () => (late.heard.length >= 100 ? true : undefined) });
  assert.deepEqual(
    late.heard.map(({ payload }) => (payload as { message: string }).message),
    Array.from({ length: 100 }, (_, index) => String(index)),
  );
  upstream.welcome.length = 0;
  late.socket.disconnect();
});

test('L8: a page that does not read is cut, and the others go on', async () => {
  const silent = await openPage();
  const reading = await openPage();
  const { ws } = silent.socket.io.engine.transport as unknown as { ws: { _socket: { pause(): void } } };
  ws._socket.pause();
  const text = 'x'.repeat(512 * 1024);
  const before = process.memoryUsage().rss;
  for (let index = 0; index < 100; index += 1) {
    upstream.tell('server:notice', { code: 'flood', message: text });
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until({
    what: 'the relay to cut it',
    pollMs: 10,
    check: () => (front.logLines.some(({ msg }) => msg === 'a page that does not read was cut') ? true : undefined),
  });
  await until({ what: 'the others to hear all', pollMs: 10, check: () => (reading.heard.length >= 100 ? true : undefined) });
  assert.ok(process.memoryUsage().rss - before < 400 * 1024 * 1024, 'memory is bounded');
  assert.equal(reading.socket.connected, true);
});
