import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { success } from '@tendon/protocol';
import { FakeAgentServer } from '../test-support/fake-agent-server.ts';
import { eventually } from '../test-support/rig.ts';
import { sampleCall } from '../test-support/samples.ts';

const EXAMPLE = join(import.meta.dirname, '../../../examples/plain-client.ts');

function run(server: FakeAgentServer, ...args: string[]) {
  const child: ChildProcess = spawn(process.execPath, [EXAMPLE, '--url', server.url, ...args]);
  let text = '';
  child.stdout?.on('data', (data) => {
    text += data;
  });
  child.stderr?.on('data', (data) => {
    text += data;
  });
  return { child, text: () => text, type: (line: string) => void child.stdin?.write(`${line}\n`), ended: once(child, 'close') };
}

it('K25: a script that knows only the protocol asks, approves, answers, comes back after a drop and leaves', async () => {
  await using server = await FakeAgentServer.started();
  const session = server.session();
  server.intercept = (name) => {
    if (name === 'session:create') return success({ session: session.session });
    return name === 'tool:decide' || name === 'tool:result' ? success({ callId: session.id, state: 'running' }) : undefined;
  };
  const script = run(server, '--key', 'a-key', 'please', 'help');
  await eventually(() => session.messages.size === 1);
  session.begin();
  session.stream(0, 'text', 'Let me ');
  await eventually(() => script.text().includes('Let me '));
  server.cut();
  session.stream(0, 'text', 'look.');
  await eventually(() => script.text().includes('Let me ') && script.text().includes('look.'));
  const shell = sampleCall({ sessionId: session.id, state: 'awaiting_approval', inputHash: 'exactly-this' });
  const question = sampleCall({
    sessionId: session.id,
    state: 'awaiting_answer',
    tool: 'ask_user_questions',
    input: { questions: [{ question: 'Which one?' }] },
  });
  session.putCall('call.requested', shell);
  await eventually(() => script.text().includes('Approve?'));
  script.type('y');
  await eventually(() => server.seen('tool:decide').length === 1);
  session.putCall('call.requested', question);
  await eventually(() => script.text().includes('Which one?'));
  script.type('the blue one');
  await eventually(() => server.seen('tool:result').length === 1);
  session.finish();
  const [code] = await script.ended;
  assert.equal(code, 0, script.text());
  assert.equal(server.handshakes[0]?.token, 'a-key');
  assert.deepEqual(server.seen('tool:decide')[0]?.payload, { sessionId: session.id, callId: shell.id, inputHash: 'exactly-this', decision: 'approve' });
  assert.deepEqual(server.seen('tool:result')[0]?.payload, {
    sessionId: session.id,
    callId: question.id,
    result: { answers: [{ question: 'Which one?', answer: 'the blue one' }] },
  });
  assert.ok(server.seen('session:attach').some(({ payload }) => (payload as { afterSeq?: number }).afterSeq !== undefined));
  assert.equal(server.seen('agent:execute').length, 1);
});

it('K25: it says why it was refused, and imports nothing of ours', async () => {
  await using server = await FakeAgentServer.started();
  server.admit = () => ({ code: 'unauthorized', message: 'Give a valid key.' });
  const script = run(server, 'hello');
  const [code] = await script.ended;
  assert.deepEqual([code, script.text().includes('unauthorized: Give a valid key.')], [1, true]);
  const source = await readFile(EXAMPLE, 'utf8');
  const imports = [...source.matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? '');
  assert.deepEqual(
    imports.filter((name) => !name.startsWith('node:')),
    ['socket.io-client'],
  );
});
