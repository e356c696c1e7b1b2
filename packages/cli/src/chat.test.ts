import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { AgentClient } from '@tendon/client';
import { until, within } from '@tendon/testing';
import { ChatSession } from './chat/chat-session.ts';
import { converse } from './chat/conversation.ts';
import { cliRig } from './cli-rig.ts';

const rig = await cliRig();
after(() => rig[Symbol.asyncDispose]());
const started = rig.run(['start', '--port', '0', '--no-open', '--model', 'demo']);
const [, url = ''] = await started.said(/runs at (http\S+)/);
await started.said(/a machine is online/);

test('O14: a script of lines chats: a command is approved and runs, another is denied, the key of the chat is gone after', async () => {
  const chat = rig.run(['chat', '--model', 'demo'], {}, 'run echo one-$((1+1))-three\ny\nrun touch never\nn not today\n');
  const outcome = await within('the end of the chat', chat.done, 60_000);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stdout, /Run this on .*\n {2}bash: echo one-\$\(\(1\+1\)\)-three/);
  assert.match(outcome.stdout, /one-2-three/);
  assert.match(outcome.stdout, /\[bash: denied\]/);
  const keys = await rig.run(['key', 'list']).done;
  assert.match(keys.stdout, /revoked .* tendon chat/);
});

test('O23: a chat that nobody reads, as behind "| head", ends in order, and its key with it', async () => {
  const chat = rig.run(['chat', '--model', 'demo'], {}, 'run echo one\ny\nrun echo two\ny\n');
  chat.child.stdout?.destroy();
  const outcome = await within('the end of the chat', chat.done, 60_000);
  assert.equal(outcome.code, 0, outcome.stderr);
  const keys = await rig.run(['key', 'list']).done;
  assert.doesNotMatch(keys.stdout, /^(?!.*revoked).*tendon chat/m);
});

async function connected(): Promise<AgentClient> {
  const token = (await rig.run(['key', 'create', 'a person']).done).stdout.trim();
  const client = new AgentClient({ url, token, client: { name: 'a test', version: '1' } });
  await until({ what: 'a connection', check: () => client.connection.get().kind === 'online', on: client.connection.subscribe });
  return client;
}

/** A person at a terminal whose clock stands still: the product is real, what they type and when is the test's. */
async function personAtTerminal() {
  await using stack = new AsyncDisposableStack();
  const client = await connected();
  stack.defer(() => client.close());
  const listed = await client.request('gateway:list', {});
  const gatewayId = listed.ok ? listed.data.gateways[0]?.id : undefined;
  const made = await client.request('session:create', { model: 'demo', workspace: rig.workspace, ...(gatewayId === undefined ? {} : { gatewayId }) });
  assert.ok(made.ok);
  let text = '';
  const clock = { at: 1_000 };
  const now = () => clock.at;
  const session = new ChatSession(client, made.data.session.id, { write: (added) => (text += added), now });
  const [input, echo] = [new PassThrough(), new PassThrough()];
  echo.resume();
  const left = converse(session, client.connection, { input, echo, now });
  stack.defer(async () => {
    input.end();
    await within('the conversation to end', left);
    session.close();
  });
  const kept = stack.move();
  return {
    clock,
    session,
    send: (message: string) => client.peek(made.data.session.id)?.send(message),
    type: (keys: string) => input.write(keys),
    /** Waits until the terminal has said this so often in all. */
    said: (pattern: RegExp, times: number) =>
      until({ what: `${pattern}, ${times} times`, pollMs: 20, deadlineMs: 30_000, check: () => [...text.matchAll(pattern)].length === times }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const ASKED = /^Run this on /gm;
const TOO_SOON = /^That was typed before the question could be read, and approves nothing/gm;

test('U9, O14: what is typed in the first 300 ms of a question approves nothing, by key or by line, and what is typed later does', async () => {
  await using person = await personAtTerminal();
  const [first, second] = [join(rig.workspace, 'first'), join(rig.workspace, 'second')];
  person.type('run touch first\r');
  await person.said(ASKED, 1);
  let early = 0;
  for (const [at, keys] of [
    [1_000, 'y'],
    [1_000, 'a'],
    [1_100, 'Y\r'],
    [1_299, 'y'],
  ] as const) {
    person.clock.at = at;
    person.type(keys);
    early += 1;
    await person.said(TOO_SOON, early);
    assert.equal(person.session.pending.kind, 'approval');
  }
  assert.equal(existsSync(first), false);
  person.clock.at = 1_300;
  person.type('yes\r');
  await person.said(/^\[bash: done\]/gm, 1);
  assert.equal(existsSync(first), true);

  person.type('y');
  person.send('run touch second');
  await person.said(ASKED, 2);
  person.clock.at = 9_000;
  person.type('\r');
  await person.said(TOO_SOON, early + 1);
  assert.equal(person.session.pending.kind, 'approval', 'a line that was begun before the question is no answer to it');
  assert.equal(existsSync(second), false);
  person.type('Y\r');
  await person.said(/^\[bash: done\]/gm, 2);
  assert.equal(existsSync(second), true);
  const said = person.session.view.messages.filter(({ role }) => role === 'user').map(({ parts }) => parts[0]?.type === 'text' && parts[0].text);
  assert.deepEqual(said, ['run touch first', 'run touch second'], 'the rest of a "yes" is no message');
});

test('O6: chat without a server, with a wrong session', async () => {
  await using alone = await cliRig();
  const outcome = await alone.run(['chat']).done;
  assert.equal(outcome.code, 2);
  assert.match(outcome.stderr, /no server runs on this home/);
  const wrong = await alone.run(['chat', 'nonsense']).done;
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /"nonsense" is no session's id/);
});

test('O14, O6: a session that never was, and one that is deleted while it is open, end the chat with words and a code that is not 0', async () => {
  const never = '0192a7c0-0000-7000-8000-000000000000';
  const gone = await within('the end of the first chat', rig.run(['chat', never]).done, 60_000);
  assert.equal(gone.code, 2, gone.stderr);
  assert.match(gone.stderr, new RegExp(`^error: session ${never} is gone: it was deleted, or there never was one of yours`, 'm'));

  const chat = rig.run(['chat', '--model', 'demo'], {}, null);
  const [, id = ''] = await chat.said(/^Session (\S+) with/m);
  chat.child.stdin?.write('run touch never\n');
  await chat.said(/^Run this on /m);
  const elsewhere = await connected();
  const answer = await elsewhere.request('session:delete', { sessionId: id });
  elsewhere.close();
  assert.ok(answer.ok);
  const deleted = await within('the end of the second chat', chat.done, 60_000);
  assert.equal(deleted.code, 2, deleted.stderr);
  assert.match(deleted.stderr, new RegExp(`^error: session ${id} is gone`, 'm'));
});
