import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { FakeAgentServer } from '../../test-support/fake-agent-server.ts';
import { connect, until } from '../../test-support/rig.ts';
import { AgentProvider, type AgentSocket, useAgentSocket } from './index.ts';

const drawn: AgentSocket[] = [];

function Page(props: { sessionId?: string }) {
  const socket = useAgentSocket(props.sessionId);
  drawn.push(socket);
  return createElement('p', null, `${socket.connection.kind} ${socket.view?.session?.title ?? 'none'}`);
}

// Drawn by React's server renderer: it runs the hooks once and needs no DOM. That the subscription opens and releases the session
// in a browser is shown by the end-to-end tests.
it("K24: useAgentSocket reads the stores of the provider's client and acts on the open session", async () => {
  await using server = await FakeAgentServer.started();
  const session = server.session();
  using client = connect(server);
  const opened = client.open(session.id);
  await until(opened.view, (view) => view.phase === 'ready');
  const html = renderToString(createElement(AgentProvider, { client }, createElement(Page, { sessionId: session.id }), createElement(Page)));
  assert.equal(html, '<p>online A session</p><p>online none</p>');
  const [withSession, without] = drawn;
  const messageId = withSession?.send('from the page');
  const view = await until(opened.view, ({ messages }) => messages.length === 1);
  assert.equal(view.messages[0]?.id, messageId);
  assert.throws(() => without?.send('nowhere'), /needs a session/);
  const stopped = await without?.stop();
  assert.equal(stopped && !stopped.ok && stopped.error.code, 'not_found');
});

it('K24: outside a provider the hook says what is missing', () => {
  assert.throws(() => renderToString(createElement(Page)), /needs an AgentProvider/);
});
