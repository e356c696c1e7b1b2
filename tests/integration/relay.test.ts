import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { LocalApprovals } from '@tendon/gateway/parts';
import { AGENT_NAMESPACE, PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import {
  AgentSocket,
  calls,
  DOOR_TABLE,
  doorHeaders,
  nodeRig,
  type RelayBrowser,
  relayRig,
  resultText,
  runs,
  SessionView,
  says,
  stampedTokens,
  until,
} from '@tendon/testing';
import { io, type Socket } from 'socket.io-client';

/*
 * A browser on the machine of a gateway, through its relay, to a server elsewhere: real sockets all the way, and a proxy between relay and
 * server that can cut.
 */

const rig = await nodeRig({ isProxied: true });
after(() => rig[Symbol.asyncDispose]());
const { gateway } = rig;
assert.ok(gateway);
const { key: relayKey, row: relayKeyRow } = await rig.server.auth.createKey({
  userId: rig.server.ownerId,
  name: 'its page',
  scopes: ['read', 'write', 'approve'],
});
const front = await relayRig({ serverUrl: rig.proxy.url, key: relayKey, approvals: gateway.approvals });
after(() => front[Symbol.asyncDispose]());
const { relay } = front;

/** With these raw headers, whatever they are. */
function ask(path: string, headers: readonly string[], method = 'GET'): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: relay.port, path, method, headers: [...headers], setHost: false }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

const HOST = ['Host', `127.0.0.1:${relay.port}`];
const visit = (path: string, headers: readonly string[] = []): ReturnType<typeof ask> => ask(path, [...HOST, ...headers]);

function pathOf(link: string): string {
  const { pathname, search } = new URL(link);
  return `${pathname}${search}`;
}

async function refusalOf(connecting: Promise<unknown>): Promise<{ code: string; message: string }> {
  const refused = await connecting.then(
    () => undefined,
    (error: Error) => error,
  );
  assert.ok(refused, 'it was let in');
  return refused.cause as { code: string; message: string };
}

describe('the door', () => {
  const foreign = new Set(['an allowed further origin', 'the public name']);
  for (const row of DOOR_TABLE.filter(({ title }) => !foreign.has(title))) {
    test(`L1: ${row.title}: ${row.fault ?? 'let in'}`, async () => {
      const headers = doorHeaders(row, relay.port);
      const isIn = row.fault === undefined;
      for (const path of ['/', '/api/me', '/sign-in?token=x', `/socket.io/?EIO=4&transport=polling`]) {
        const { status } = await ask(path, headers);
        assert.equal([403, 421].includes(status) || (row.host === null && status === 400), !isIn, `${path}: ${status}`);
      }
      const upgrade = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='];
      assert.equal(await upgraded([...headers, ...upgrade]), isIn);
    });
  }

  test('L1: nothing but this machine reaches it', async () => {
    const others = Object.values(networkInterfaces()).flatMap((list) => list?.filter(({ internal }) => !internal) ?? []);
    const outcomes = await Promise.all(
      others.map(
        ({ address }) =>
          new Promise((resolve) => {
            const socket = connect({ host: address, port: relay.port });
            socket.once('connect', () => resolve(`${address} answers`)).once('error', () => resolve(undefined));
            socket.once('connect', () => socket.destroy());
          }),
      ),
    );
    assert.deepEqual(
      outcomes.filter((outcome) => outcome !== undefined),
      [],
    );
  });
});

function upgraded(headers: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port: relay.port, path: '/socket.io/?EIO=4&transport=websocket', headers: [...headers], setHost: false });
    sent.once('upgrade', (_answer, socket) => {
      socket.destroy();
      resolve(true);
    });
    sent.once('response', () => resolve(false)).once('error', () => resolve(false));
    sent.end();
  });
}

describe('signing in', () => {
  test('L2: a link signs one browser in, once, and leads to a path of the page', async () => {
    const link = relay.signInLink('/machines');
    const first = await visit(pathOf(link));
    assert.equal(first.status, 303);
    assert.match(String(first.headers['location']), /^\/machines#relay=tdr_[\w-]{43}$/);
    assert.match(String(first.headers['set-cookie']), /^tendon-relay-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    assert.equal((await visit(pathOf(link))).status, 401);
    const attempts = await Promise.all(
      Array.from(
        { length: 20 },
        (
          (link) => () =>
            visit(pathOf(link))
        )(relay.signInLink()),
      ),
    );
    assert.equal(attempts.filter(({ status }) => status === 303).length, 1, 'of twenty at once');
  });

  test('L2: who only looks ahead leaves a link whole', async () => {
    const path = pathOf(relay.signInLink());
    assert.equal((await ask(path, HOST, 'HEAD')).status, 204);
    assert.equal((await visit(path, ['Sec-Purpose', 'prefetch'])).status, 204);
    assert.equal((await visit(path, ['Purpose', 'prefetch'])).status, 204);
    assert.equal((await visit(path)).status, 303);
  });

  test('L2: a link leads nowhere else', async () => {
    for (const to of ['//evil.example', 'https://evil.example', '/\\evil.example', '/a?b', 'javascript:alert(1)', '/a\r\nSet-Cookie: x=1', ''])
      assert.match(String((await visit(pathOf(relay.signInLink(to)))).headers['location']), /^\/#relay=tdr_[\w-]{43}$/, to);
  });

  test('L2: a wrong link opens nothing, and the terminal shows a new one', async () => {
    for (const token of ['', 'x', 'A'.repeat(43), 'x'.repeat(5_000)]) {
      const answer = await visit(`/sign-in?token=${token}`);
      assert.equal(answer.status, 401);
      assert.equal(answer.headers['set-cookie'], undefined);
      assert.match(answer.body, /terminal where .*tendon gateway.* runs shows a new link/);
    }
    assert.equal(front.links.length, 1, 'one link for many who guess');
    assert.equal((await visit(pathOf(front.links[0] ?? ''))).status, 303);
  });

  test('L2: without the cookie no socket is let in, whatever token it brings; signing out ends what is open', async () => {
    for (const cookie of ['', 'tendon-relay-1=x', `tendon-relay-${relay.port}=`, `tendon-relay-${relay.port}=${'A'.repeat(43)}`])
      for (const token of [undefined, rig.key])
        assert.equal(
          (await refusalOf(front.page({ browser: { ...(await front.signIn()), cookie }, ...(token === undefined ? {} : { token }) }))).code,
          'unauthorized',
          cookie,
        );
    const browser = await front.signIn();
    const page = await front.page({ browser });
    const other = await front.page();
    assert.equal((await ask('/api/auth/sign-out', [...HOST, 'Cookie', browser.cookie, 'Origin', relay.url], 'POST')).status, 200);
    await page.ended;
    assert.equal((await refusalOf(front.page({ browser }))).code, 'unauthorized');
    assert.equal(other.isConnected, true, 'another browser stays');
    other.close();
  });
});

describe('the cookie is not enough', () => {
  test('L2: a cookie that another port of this machine was sent opens no socket, and gets no token, without the key of its page', async () => {
    const browser = await front.signIn();
    const other = await front.signIn();
    const bare = AgentSocket.connect({ url: relay.url, headers: { Cookie: browser.cookie, Origin: relay.url } });
    assert.equal((await refusalOf(bare)).code, 'unauthorized');
    for (const pageKey of [other.pageKey, `tdr_${'A'.repeat(43)}`, 'tdr_', '']) {
      assert.equal(await front.token({ ...browser, pageKey }), undefined, pageKey);
      if (pageKey !== '') assert.equal((await refusalOf(front.page({ browser, token: pageKey }))).code, 'unauthorized', pageKey);
    }
    (await front.page({ browser })).close();
  });

  test('L1: a connection that says nothing does not keep a relay from ending', async () => {
    const own = await relayRig({ serverUrl: rig.proxy.url, key: rig.key, approvals: new LocalApprovals(randomUUID()) });
    const silent = connect(own.relay.port, '127.0.0.1');
    await once(silent, 'connect');
    const over = once(silent, 'close');
    await own.relay.close();
    await over;
  });
});

describe('what it serves', () => {
  test('L3: the page for everybody, who you are for those who are signed in, and nothing else of /api', async () => {
    const page = await visit('/machines');
    assert.equal(page.status, 200);
    assert.match(page.body, /<div id="root">/);
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'.*connect-src 'self' ws:\/\/127\.0\.0\.1:\d+/);
    assert.equal(page.headers['strict-transport-security'], undefined);
    assert.equal((await visit('/api/me')).status, 401);
    const cookie = ['Cookie', (await front.signIn()).cookie];
    const me = await visit('/api/me', cookie);
    assert.equal(me.status, 200);
    assert.equal(JSON.parse(me.body).user.id, rig.server.ownerId);
    for (const path of ['/api/keys', '/api/people', '/api/account', '/api/auth/session-tokens', '/api/../api/keys', '/api/'])
      for (const method of ['GET', 'POST', 'DELETE']) assert.deepEqual([(await ask(path, [...HOST, ...cookie], method)).status, path], [404, path]);
    assert.match((await visit('/api/keys', cookie)).body, new RegExp(`open ${rig.proxy.url.replaceAll('.', '\\.')}`));
    assert.equal(JSON.stringify([page, me]).includes(relayKey), false, 'the key of the machine is in no answer');
  });
});

/** Which connections to the server are there that are not there yet. Of those that are, one may end meanwhile: what is kept after a request over HTTP. */
function newConnections(): () => object[] {
  const before = new Set(rig.proxy.connections);
  return () => rig.proxy.connections.filter((connection) => !before.has(connection));
}

describe('passing on', () => {
  test('L4, L5: a session through the relay, both ways and in order: the same as at the server itself', async () => {
    rig.model.script([stampedTokens(200, 1)], [runs('echo through')], says('Done.'));
    const through = await SessionView.create(await front.page());
    const direct = await SessionView.attach(await rig.connect(), through.id, 0);
    await through.say('tell me');
    await through.untilStatus('idle');
    await through.say('and run it');
    const call = await through.untilCall('awaiting_approval');
    await through.decide(call, 'approve');
    const over = await through.untilCallIs(call.id, 'succeeded');
    assert.equal(resultText(over), 'through\n');
    await through.untilStatus('idle');
    await direct.untilStatus('idle');
    await until({ what: 'both to have heard as much', pollMs: 10, check: () => (through.events.length === direct.events.length ? true : undefined) });
    assert.deepEqual(through.events, direct.events);
    assert.deepEqual(
      through.deltas.map(({ messageId, part, kind, offset, text }) => [messageId, part, kind, offset, text]).filter(([, , kind]) => kind !== 'tool_output'),
      direct.deltas.map(({ messageId, part, kind, offset, text }) => [messageId, part, kind, offset, text]).filter(([, , kind]) => kind !== 'tool_output'),
    );
    through.assertGapFree();
  });

  test('R6, L5: a session passes whole with the deepest input that is taken in it, as it happens and when it is read again; one level more is shown as unreadable', async () => {
    const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
    const [taken, refused] = [deep(24), deep(25)];
    rig.model.script([calls({ name: 'nothing', input: taken }, { name: 'nothing', input: refused })], says('I see.'));
    const through = await SessionView.create(await front.page());
    await through.say('go');
    await through.untilStatus('idle');
    const wanted = [JSON.parse(taken), { unreadable: refused }];
    const inputsOf = (list: readonly { input?: unknown }[]): unknown[] => list.map(({ input }) => input);
    assert.deepEqual(inputsOf(through.calls), wanted, 'told');
    const again = await front.page();
    const latest = await SessionView.attach(again, through.id);
    assert.deepEqual(inputsOf(latest.attached.calls), wanted, 'the latest page');
    const all = await SessionView.attach(again, through.id, 0);
    assert.ok(all.attached.events?.some(({ type }) => type === 'call.requested'));
    assert.deepEqual(inputsOf(all.calls), wanted, 'the events of before');
    const { calls: earlier } = await again.ask('session:history', { sessionId: through.id, before: latest.attached.seq + 1 });
    assert.deepEqual(inputsOf(earlier), wanted, 'an earlier page');
  });

  test('L4: a page that leaves takes its connection to the server with it', async () => {
    const made = newConnections();
    const pages = [await front.page(), await front.page()];
    assert.equal(made().length, 2);
    for (const page of pages) page.close();
    await until({ what: 'the connections behind them to end', pollMs: 10, check: () => made().length === 0 });
  });

  test('L4: a server that goes takes the pages with it, and lets them in again when it is back', async () => {
    const browser = await front.signIn();
    const session = await SessionView.create(await front.page({ browser }));
    await rig.proxy.refuse();
    await session.socket.ended;
    const last = session.socket.received.at(-1);
    assert.deepEqual(last, {
      name: 'server:notice',
      notice: { code: 'relay_cut_off', message: `The relay on this machine has lost its connection to ${rig.proxy.url}.` },
    });
    const refused = await refusalOf(front.page({ browser }));
    assert.equal(refused.code, 'unavailable');
    assert.match(
      refused.message,
      /^The relay on this machine cannot reach http:\/\/127\.0\.0\.1:\d+: nothing listens there \(ECONNREFUSED\)\. It tries again when this page does\.$/,
    );
    await rig.proxy.accept();
    rig.model.script(says('Back.'));
    const again = await SessionView.attach(await front.page({ browser }), session.id, session.events.length);
    await again.say('are you there?');
    await again.untilStatus('idle');
    assert.equal(again.answer, 'Back.');
  });

  test('L4: a page that leaves while the server is being dialled leaves nothing behind', async () => {
    // The machine itself comes back in its own time after the test before, and has a connection then.
    await until({ what: 'the machine to be back', pollMs: 10, check: () => gateway.state.kind === 'online' || undefined });
    const made = newConnections();
    const browser = await front.signIn();
    rig.proxy.stall();
    const leaving = await Promise.all(Array.from({ length: 5 }, () => dialling(browser)));
    await until({ what: 'the server to be dialled for all of them', pollMs: 5, check: () => made().length >= leaving.length });
    for (const socket of leaving) socket.disconnect();
    rig.proxy.resume();
    await until({ what: 'nothing to be left', pollMs: 10, check: () => made().length === 0 });
  });

  test('L6: behind a page stands the token that it brings, and else the key of the machine', async () => {
    const browser = await front.signIn();
    const stranger = await rig.addUser();
    const theirs = await front.page({ browser, token: stranger.key });
    assert.deepEqual((await theirs.ask('session:list', {})).sessions, [], 'what the token is good for, and not the machine');
    const own = await front.page({ browser });
    assert.ok((await own.ask('session:list', {})).sessions.length > 0);
    const wrong = await refusalOf(front.page({ browser, token: `tdn_${'x'.repeat(43)}` }));
    assert.equal(wrong.code, 'unauthorized', "the server's own word");
    assert.equal(front.keyRefusals(), 0);
  });
});

/** A page that knocks; nobody waits for it to be let in. */
async function dialling(browser: RelayBrowser): Promise<Socket> {
  const token = await front.token(browser);
  return io(new URL(AGENT_NAMESPACE, relay.url).href, {
    ...{ path: SOCKET_PATH, reconnection: false, forceNew: true, transports: ['websocket'] },
    ...{ auth: { protocol: PROTOCOL_VERSION, token, client: { name: 'page', version: '1' } }, extraHeaders: { Cookie: browser.cookie, Origin: relay.url } },
  });
}

describe('approvals', () => {
  const policy = join(rig.home, 'gateway-policy.json');
  const requireLocal = (): Promise<void> => writeFile(policy, JSON.stringify({ version: 1, requireLocalApproval: true, rules: [] }));
  after(() => rm(policy, { force: true }));

  test('L7: what was approved elsewhere is not run, what was approved here is', async () => {
    await requireLocal();
    rig.model.script([runs('echo elsewhere')], says('I see.'), [runs('echo here')], says('Done.'));
    const session = await rig.open();
    const page = await SessionView.attach(await front.page(), session.id, 0);
    await session.say('run it');
    const first = await session.untilCall('awaiting_approval');
    await session.decide(first, 'approve');
    const refused = await session.untilCallIs(first.id, 'failed');
    assert.equal(refused.result?.error?.code, 'approval_needed');
    assert.match(resultText(refused), /only runs what was approved in the page that the machine itself shows/);
    await session.untilStatus('idle');

    await session.say('run it again');
    const second = await page.untilCall('awaiting_approval');
    await page.decide(second, 'approve');
    await page.untilCallIs(second.id, 'succeeded');
    await session.untilStatus('idle');
  });

  test("L7, G50, C18: an undo counts when it was approved on the relay's page, and not when it was approved elsewhere", async () => {
    await requireLocal();
    const file = join(rig.workspace, 'undone through a relay');
    rig.model.script([calls({ name: 'write_file', input: { path: 'undone through a relay', content: 'made' } })], says('Made.'));
    const session = await rig.open();
    const page = await SessionView.attach(await front.page(), session.id, 0);
    await session.say('make it');
    const made = await page.untilCall('awaiting_approval');
    await page.decide(made, 'approve');
    await page.untilCallIs(made.id, 'succeeded');
    await session.untilStatus('idle');
    const messageId = session.messages.findLast((message) => message.role === 'assistant')?.id ?? '';
    const askedBy = async (view: SessionView) => {
      const { calls: asked } = await view.socket.ask('agent:undo', { sessionId: session.id, messageId });
      const callId = asked[0]?.callId ?? '';
      return { inSession: await session.untilCallIs(callId, 'awaiting_approval'), onPage: await page.untilCallIs(callId, 'awaiting_approval') };
    };

    const remote = await askedBy(session);
    await session.decide(remote.inSession, 'approve');
    const refused = await session.untilCallIs(remote.inSession.id, 'failed');
    assert.equal(refused.result?.error?.code, 'approval_needed');
    assert.match(resultText(refused), /Approve it there, each time/);
    assert.equal(await readFile(file, 'utf8'), 'made');

    const denied = await askedBy(page);
    await page.decide(denied.onPage, 'deny');
    await page.untilCallIs(denied.onPage.id, 'denied');
    assert.equal(await readFile(file, 'utf8'), 'made');

    const local = await askedBy(page);
    await page.decide(local.onPage, 'approve');
    const done = await page.untilCallIs(local.onPage.id, 'succeeded');
    assert.deepEqual(done.result?.meta?.undone, [{ path: 'undone through a relay', outcome: 'removed' }]);
    await assert.rejects(readFile(file), { code: 'ENOENT' });
    await session.untilStatus('idle');
  });
});

test('L6: when the server no longer takes the key of the machine, the page and the terminal are told', async () => {
  await rig.server.auth.revokeKey(rig.server.ownerId, relayKeyRow.id);
  const refused = await refusalOf(front.page());
  assert.equal(refused.code, 'relay_key_ended');
  assert.match(refused.message, /Start the gateway again to pair it anew/);
  assert.equal(front.keyRefusals(), 1);
});
