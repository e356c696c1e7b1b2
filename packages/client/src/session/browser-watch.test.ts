import assert from 'node:assert/strict';
import { it } from 'node:test';
import { refusal, success } from '@tendon/protocol';
import { FakeAgentServer } from '../../test-support/fake-agent-server.ts';
import { connect, eventually, online, until } from '../../test-support/rig.ts';

const at = '2026-11-22T10:00:00.000Z';
const pictureOf = (sessionId: string, title: string) => ({ sessionId, at, url: 'https://example.org/', title, width: 1280, height: 800, image: '/9j/AAAA' });

async function watching() {
  const server = await FakeAgentServer.started();
  const session = server.session();
  server.intercept = (name) => (name === 'browser:watch' ? success({}) : undefined);
  const client = connect(server);
  const opened = client.open(session.id);
  await until(opened.view, (view) => view.phase === 'ready');
  const asked = () => server.seen('browser:watch').map(({ payload }) => (payload as { on: boolean }).on);
  const dispose = async (): Promise<void> => {
    client.close();
    await server.stop();
  };
  return { server, session, client, opened, asked, [Symbol.asyncDispose]: dispose };
}

it('K27: the browser is asked for while somebody looks, however many do, and no longer', async () => {
  await using rig = await watching();
  const { opened, asked, server, session } = rig;
  assert.deepEqual(opened.browser.get(), { kind: 'off' });
  server.broadcast('browser:frame', pictureOf(session.id, 'unasked'));
  const [first, second] = [opened.watchBrowser(), opened.watchBrowser()];
  await until(opened.browser, ({ kind }) => kind === 'starting');
  server.broadcast('browser:frame', { ...pictureOf(session.id, 'broken'), image: 'javascript:alert(1)' });
  server.broadcast('browser:frame', pictureOf('0199c0de-0000-7000-8000-0000000000ff', 'of another session'));
  server.broadcast('browser:frame', pictureOf(session.id, 'one'));
  const view = await until(opened.browser, ({ kind }) => kind === 'picture');
  assert.equal(view.kind === 'picture' && view.frame.title, 'one');
  for (const state of ['no_page', 'away', 'refused', 'silent', 'starting'] as const) {
    server.broadcast('browser:state', { sessionId: session.id, at, state });
    await until(opened.browser, ({ kind }) => kind === state);
  }
  first();
  first();
  assert.equal(opened.browser.get().kind, 'starting');
  second();
  assert.equal(opened.browser.get().kind, 'off');
  await eventually(() => asked().length === 2);
  assert.deepEqual(asked(), [true, false]);
});

it('K27: it goes on by itself after a drop, and says meanwhile that there is no connection', async () => {
  await using rig = await watching();
  const { opened, asked, server, client } = rig;
  opened.watchBrowser();
  await eventually(() => asked().length === 1);
  await server.stop();
  await until(opened.browser, ({ kind }) => kind === 'offline');
  await server.start();
  await online(client);
  await until(opened.browser, ({ kind }) => kind === 'starting');
  await eventually(() => asked().length === 2);
  assert.deepEqual(asked(), [true, true]);
});

it('K27: a refusal is shown; one that may pass is asked about again, one for good is not', async () => {
  await using rig = await watching();
  const { opened, asked, server, session } = rig;
  server.intercept = (name) => (name === 'browser:watch' ? (asked().length < 3 ? refusal('unavailable') : success({})) : undefined);
  const stop = opened.watchBrowser();
  await until(opened.browser, ({ kind }) => kind === 'failed');
  await eventually(() => asked().length >= 3);
  server.broadcast('browser:frame', pictureOf(session.id, 'at last'));
  await until(opened.browser, ({ kind }) => kind === 'picture');
  stop();
  await eventually(() => asked().at(-1) === false);
  const before = asked().length;
  server.intercept = (name) => (name === 'browser:watch' ? refusal('conflict', 'Eight are enough.') : undefined);
  opened.watchBrowser();
  const failed = await until(opened.browser, ({ kind }) => kind === 'failed');
  assert.deepEqual(failed, { kind: 'failed', error: { code: 'conflict', message: 'Eight are enough.' } });
  assert.equal(asked().length, before + 1);
});

it('K27: a session that is left is not watched any more', async () => {
  await using rig = await watching();
  const { opened, client } = rig;
  opened.watchBrowser();
  await until(opened.browser, ({ kind }) => kind === 'starting');
  client.close();
  assert.equal(opened.browser.get().kind, 'offline');
});

it('K27: a refusal of a kind that this client does not know is shown, and not asked again', async () => {
  await using rig = await watching();
  const { opened, asked, server, client } = rig;
  server.intercept = (name) => (name === 'browser:watch' ? { ok: false, error: { code: 'of_a_newer_server', message: 'no' } as never } : undefined);
  opened.watchBrowser();
  await until(opened.browser, ({ kind }) => kind === 'failed');
  assert.equal((await client.request('gateway:list', {})).ok, true);
  assert.deepEqual(asked(), [true]);
});
