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
const browser = await front.signIn();
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
  const token = await front.token(browser);
  const socket = io(new URL(AGENT_NAMESPACE, front.relay.url).href, {
    ...{ path: SOCKET_PATH, reconnection: false, forceNew: true, transports: ['websocket'] },
    ...{
      auth: { protocol: PROTOCOL_VERSION, token, client: { name: 'page', version: '1' } },
      extraHeaders: { Cookie: browser.cookie, Origin: front.relay.url },
    },
  });
  stack.defer(() => void socket.disconnect());
  const heard: Page['heard'] = [];
  socket.onAny((name: string, payload: unknown) => heard.push({ name, payload }));
  await new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(undefined)).once('connect_error', reject);
    socket.once('disconnect', (reason) => reject(new Error(reason)));
  });
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
  async function show(call: Call, as?: number): Promise<void> {
    seq += 1;
    page.heard.length = 0;
    upstream.tell('session:event', { sessionId, seq: as ?? seq, at: '2026-11-28T10:00:00.000Z', type: 'call.requested', data: { call } });
    await until({ what: 'the call to be shown', pollMs: 5, check: () => (page.heard.some(({ name }) => name === 'session:event') ? true : undefined) });
  }

  const decide = (call: Call, more: object = {}) =>
    page.ask('tool:decide', { sessionId, callId: call.id, inputHash: call.inputHash, decision: 'approve', ...more });

  const counts = (call: Call): boolean => approvals.has({ ...call, callId: call.id });

  test('L7: what was shown and approved here counts, with its own hash and no other', async () => {
    const call = callOf({ command: 'ls' });
    await show(call);
    assert.equal(counts(call), false, 'shown is not approved');
    upstream.answer = { ok: true, data: { callId: call.id, state: 'queued' } };
    await decide(call, { inputHash: 'another' });
    assert.equal(approvals.has({ ...call, callId: call.id, inputHash: 'another' }), false);
    await decide(call, { decision: 'deny' });
    assert.equal(counts(call), false);
    await decide(call);
    assert.equal(counts(call), true);
    assert.equal(approvals.has({ ...call, callId: call.id, inputHash: 'another' }), false);
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
    assert.equal(counts(forged), false);
    // Right at first, something else afterwards, in an answer.
    const turned = callOf({ command: 'ls' });
    await show(turned);
    const session = (fixtures('agent-requests')['session:create']?.data?.[0] as { session: object } | undefined)?.session;
    upstream.answer = { ok: true, data: { session, messages: [], calls: [{ ...turned, input: { command: 'rm -rf /' } }], seq: 1, hasMore: false } };
    assert.equal((await page.ask('session:attach', { sessionId })).ok, true);
    upstream.answer = { ok: true, data: { callId: turned.id, state: 'queued' } };
    assert.equal((await decide(turned)).ok, false);
    assert.equal(counts(turned), false);
  });

  const rm = { command: 'rm -rf /' };
  const session = (fixtures('agent-requests')['session:create']?.data?.[0] as { session: object } | undefined)?.session;
  const { gatewayId: _gatewayId, ...nowhere } = callOf(rm);
  const WAYS: readonly { title: string; shown: () => Promise<Call> }[] = [
    {
      title: 'what would run comes later, in a field that the page does not know of',
      shown: async () => {
        const forged = callOf({ command: 'ls' }, rm);
        await show(forged);
        upstream.answer = { ok: true, data: { sessions: [], call: { ...forged, input: rm }, calls: [{ ...forged, input: rm }] } };
        await page.ask('session:list', {});
        return forged;
      },
    },
    {
      title: 'what would run comes later, in an event that is older',
      shown: async () => {
        const forged = callOf({ command: 'ls' }, rm);
        await show(forged);
        await show({ ...forged, input: rm }, 1);
        return forged;
      },
    },
    {
      title: 'what would run comes first, and then a call of the server in its place',
      shown: async () => {
        const call = callOf(rm);
        await show(call);
        await show({ ...call, kind: 'remote', input: { command: 'ls' } });
        return call;
      },
    },
    {
      title: 'what would run comes first, and then a call of no machine in its place',
      shown: async () => {
        const call = { ...nowhere, id: randomUUID() } as Call;
        await show({ ...call, gatewayId: GATEWAY_ID });
        await show({ ...call, input: { command: 'ls' } });
        return call;
      },
    },
    {
      title: 'a call of no machine comes first, and then what would run, in an answer that the page has not asked for in vain',
      shown: async () => {
        const call = callOf(rm);
        await show({ ...call, kind: 'remote', input: { command: 'ls' } });
        upstream.answer = { ok: true, data: { session, messages: [], calls: [call], seq: 1, hasMore: false } };
        await page.ask('session:attach', { sessionId });
        return call;
      },
    },
  ];
  for (const { title, shown } of WAYS)
    test(`L7: a call that was shown in two ways is not approved: ${title}`, async () => {
      const call = await shown();
      upstream.answer = { ok: true, data: { callId: call.id, state: 'queued' } };
      const answer = await decide(call);
      assert.equal(answer.ok ? '' : answer.error.code, 'conflict');
      assert.equal(counts(call), false);
    });

  test('L7: an approval that is taken back, that the server refuses, or that is of another session does not count', async () => {
    const taken = callOf({ command: 'ls' });
    await show(taken);
    upstream.answer = { ok: true, data: { callId: taken.id, state: 'queued' } };
    await decide(taken);
    assert.equal(counts(taken), true);
    await decide(taken, { decision: 'deny' });
    assert.equal(counts(taken), false);
    const refused = callOf({ command: 'ls' });
    await show(refused);
    upstream.answer = { ok: false, error: { code: 'conflict', message: 'no' } };
    await decide(refused);
    assert.equal(counts(refused), false);
    upstream.answer = { ok: true, data: { callId: refused.id, state: 'queued' } };
    const elsewhere = callOf({ command: 'ls' });
    await show(elsewhere);
    await decide(elsewhere, { sessionId: randomUUID() });
    assert.equal(counts(elsewhere), false);
  });

  test('L7: an approval counts for what the question said that the tool does, and a call that was asked about in two ways for nothing', async () => {
    const mild = { ...callOf({ command: 'ls' }), effect: 'read' as const };
    await show(mild);
    upstream.answer = { ok: true, data: { callId: mild.id, state: 'queued' } };
    await decide(mild);
    assert.equal(counts({ ...mild, effect: 'execute' }), false, 'shown as one that reads only');
    const turned = callOf({ command: 'ls' });
    await show(turned);
    await show({ ...turned, effect: 'read' });
    const answer = await decide(turned);
    assert.equal(answer.ok ? '' : answer.error.code, 'conflict');
  });

  test('L7: a stop takes back what was approved in its session and in no other', async () => {
    const [here, elsewhere] = [callOf({ command: 'ls' }), { ...callOf({ command: 'ls' }), sessionId: randomUUID() }];
    for (const call of [here, elsewhere]) {
      await show(call);
      upstream.answer = { ok: true, data: { callId: call.id, state: 'queued' } };
      await decide(call, { sessionId: call.sessionId });
      assert.equal(counts(call), true);
    }
    upstream.answer = { ok: true, data: { stopped: true } };
    await page.ask('agent:stop', { sessionId });
    assert.deepEqual([counts(here), counts(elsewhere)], [false, true]);
  });

  test('L7: a refusal of the second approval leaves the first', async () => {
    const call = callOf({ command: 'ls' });
    await show(call);
    upstream.answer = { ok: true, data: { callId: call.id, state: 'queued' } };
    await decide(call);
    upstream.answer = { ok: false, error: { code: 'conflict', message: 'decided already' } };
    await decide(call);
    assert.equal(counts(call), true);
  });

  test('L7: with as many calls as are remembered, none that is new counts, and none that is known is forgotten', () => {
    const few = new LocalApprovals(GATEWAY_ID, 2);
    const [first, second, third] = [callOf({ command: '1' }), callOf({ command: '2' }, rm), callOf({ command: '3' })];
    assert.deepEqual(
      [first, second, third].map((call) => few.show(call)),
      [true, false, true],
    );
    assert.equal(few.approve({ ...third, callId: third.id }), false);
    assert.equal(few.approve({ ...first, callId: first.id }), true);
    assert.equal(few.isForged(second.id), true);
  });

  test('L7: a page with a token of its own may approve at the server, and not for this machine', async () => {
    const call = callOf({ command: 'ls' });
    const own = await front.page({ token: 'tdn_own' });
    await show(call);
    upstream.answer = { ok: true, data: { callId: call.id, state: 'queued' } };
    await own.request('tool:decide', { sessionId, callId: call.id, inputHash: call.inputHash, decision: 'approve' });
    assert.equal(counts(call), false);
    own.close();
  });

  test('L7: a call that was never shown here, and one of another machine, are not approved for this one', async () => {
    const unseen = callOf({ command: 'ls' });
    await decide(unseen);
    assert.equal(counts(unseen), false);
    const elsewhere = { ...callOf({ command: 'ls' }), gatewayId: randomUUID() };
    await show(elsewhere);
    await decide(elsewhere);
    assert.equal(counts(elsewhere), false);
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

test('L5: fields that the protocol does not have pass unread, whatever is in them', async () => {
  for (const more of [{ calls: 7 }, { events: [null] }, { call: null }, { call: 'x', calls: [null], events: {} }]) {
    upstream.answer = { ok: true, data: { sessions: [], ...more } };
    assert.deepEqual(await page.ask('session:list', {}), upstream.answer);
  }
  page.heard.length = 0;
  upstream.tell('server:notice', { code: 'odd', message: '', calls: 7, data: null, events: [null] });
  await until({ what: 'the notice', pollMs: 5, check: () => page.heard.some(({ payload }) => codeOf(payload) === 'odd') });
});

test('L5: what is no packet of anybody ends nothing but what it came to', async () => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
  upstream.tellRaw('[7,{"a":1}]');
  page.heard.length = 0;
  upstream.tell('server:notice', { code: 'after', message: '' });
  await until({ what: 'the next notice', pollMs: 5, check: () => page.heard.some(({ payload }) => codeOf(payload) === 'after') });
  upstream.answer = { ok: false, error: { code: 'internal', message: 'm', details: JSON.parse(`[${'['.repeat(500)}${']'.repeat(500)}]`) } };
  const told = await page.ask('session:list', {});
  assert.equal(told.ok ? '' : told.error.code, 'internal');
  assert.ok(!told.ok && /wrong shape/.test(told.error.message), 'a refusal is measured too');
  const own = await openPage();
  upstream.answerRaw = `[{"ok":false,"error":{"code":"internal","message":"m","details":${deep}}}]`;
  const outcome = await own.ask('session:list', {});
  upstream.answerRaw = undefined;
  assert.ok(!outcome.ok && /wrong shape/.test(outcome.error.message));
  upstream.tellRaw('[null]');
  await until({ what: 'what cannot be read to end the connection', pollMs: 5, check: () => !own.socket.connected });
  assert.equal((await fetch(new URL('/healthz', front.relay.url))).status, 200, 'the relay is there');
});

test('L4: a server that ends the connection the moment it has let somebody in leaves no page that believes to be online', async () => {
  const before = upstream.letIn;
  upstream.kicks = true;
  const outcomes = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const { socket } = await openPage().catch(() => ({ socket: undefined }));
      if (socket) await until({ what: 'the page to hear of it', pollMs: 5, check: () => !socket.connected || undefined });
      return socket?.connected ?? false;
    }),
  );
  upstream.kicks = false;
  assert.equal(upstream.letIn - before, 10, 'the server has let all of them in');
  assert.deepEqual(outcomes, Array(10).fill(false));
});

test('L8: a page to whose server tells a great deal at once hears all of it, or is cut; it is never left without a server', async () => {
  for (let index = 0; index < 300; index += 1) upstream.welcome.push({ name: 'server:notice', payload: { code: 'count', message: String(index) } });
  const flooded = await Promise.all(Array.from({ length: 10 }, () => openPage().catch((error: Error) => error)));
  upstream.welcome.length = 0;
  for (const one of flooded) {
    if (one instanceof Error) assert.match(one.message, /^transport (?:close|error)$/);
    else await until({ what: 'the page to be cut or told', pollMs: 5, check: () => !one.socket.connected || one.heard.length === 300 });
  }
  for (const one of flooded) if (!(one instanceof Error)) one.socket.disconnect();
});

test('L4: a page that leaves and comes again on one connection ends it, so that nothing piles up', async () => {
  const { socket } = await openPage();
  const closed = new Promise((resolve) => socket.io.engine.once('close', resolve));
  socket.emit('session:detach', {});
  (socket.io as unknown as { _packet(packet: object): void })._packet({ type: 1, nsp: AGENT_NAMESPACE });
  await closed;
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

test('L8: connections have an end, also for who names one that is not there', async () => {
  await using crowded = await relayRig({ serverUrl: upstream.url, key: 'tdn_key', approvals });
  const knock = async (query = ''): Promise<number> => {
    const answer = await fetch(`${crowded.relay.url}${SOCKET_PATH}?EIO=4&transport=polling${query}`);
    await answer.text();
    return answer.status;
  };
  const statuses: number[] = [];
  for (let tens = 0; tens < 20; tens += 1) statuses.push(...(await Promise.all(Array.from({ length: 10 }, () => knock()))));
  assert.deepEqual([...new Set(statuses)], [200]);
  for (const query of ['', '&sid=', '&sid=none&sid=', '&%73id=']) assert.equal(await knock(query), 503, query);
  assert.equal(await knock('&sid=none'), 400);
});
