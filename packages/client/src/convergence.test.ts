import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { it } from 'node:test';
import { isFinalCallState } from '@tendon/protocol';
import fc from 'fast-check';
import { FakeAgentServer } from '../test-support/fake-agent-server.ts';
import type { FakeSession } from '../test-support/fake-session.ts';
import { connect, eventually, until } from '../test-support/rig.ts';
import { sampleCall } from '../test-support/samples.ts';
import { memoryOutbox } from './outbox/storage.ts';

/** Another run: `FC_SEED=… node --test`. A failure prints its seed and its shortest sequence. */
const seed = Number(process.env.FC_SEED ?? 20_261_122);

interface Play {
  readonly server: FakeAgentServer;
  readonly session: FakeSession;
  client: ReturnType<typeof connect>;
  readonly sent: string[];
  readonly reload: () => void;
}

/** What can happen, in any order, over real sockets. */
const STEPS = {
  send: ({ client, session, sent }) => void sent.push(client.open(session.id).send(`message ${sent.length}`)),
  'send elsewhere': ({ session }) => void session.execute({ sessionId: session.id, messageId: randomUUID(), text: 'from another device' }),
  'stream text': ({ session }) => stream(session, 'text', 'some words '),
  'stream reasoning': ({ session }) => stream(session, 'reasoning', 'a thought '),
  'write a call': ({ session }) => stream(session, 'tool_input', '{"a":'),
  finish: ({ session }) => session.finish(),
  'request a call': ({ session }) => session.putCall('call.requested', sampleCall({ sessionId: session.id })),
  output: ({ session }) => {
    for (const call of session.calls.values()) if (!isFinalCallState(call.state)) session.output(call.id, 'line\n');
  },
  'end calls': ({ session }) => {
    for (const call of session.calls.values()) {
      if (!isFinalCallState(call.state)) session.putCall('call.updated', { ...call, state: 'succeeded', finishedAt: session.session.updatedAt });
    }
  },
  'release queue': ({ session }) => {
    const queued = [...session.messages.values()].find((message) => message.state === 'queued');
    if (queued) session.place('message.completed', { ...queued, state: 'complete' });
  },
  cut: ({ server }) => server.cut(),
  'lose packets': ({ server }) => {
    server.copies = () => 0;
  },
  'repeat packets': ({ server }) => {
    server.copies = () => 2;
  },
  'lose acknowledgements': ({ server }) => {
    server.acknowledgement = () => 'lose';
  },
  'mend wires': ({ server }) => mend(server),
  'forget events': ({ session }) => {
    session.forgottenUpTo = session.seq;
  },
  restart: async ({ server }) => {
    await server.stop();
    await server.start();
  },
  'reload the page': (play) => play.reload(),
  'let it happen': () => new Promise((resolve) => setTimeout(resolve, 3)),
} as const satisfies Record<string, (play: Play) => void | Promise<void>>;

function stream(session: FakeSession, kind: 'text' | 'reasoning' | 'tool_input', text: string): void {
  if (!session.live) session.begin();
  const parts = session.live?.parts ?? [];
  const last = parts.at(-1);
  const lastKind = last?.type === 'tool_call' ? 'tool_input' : last?.type;
  session.stream(lastKind === kind ? parts.length - 1 : parts.length, kind, text);
}

function mend(server: FakeAgentServer): void {
  server.copies = () => 1;
  server.acknowledgement = () => 'send';
}

async function play(steps: readonly (keyof typeof STEPS)[]): Promise<void> {
  await using server = await FakeAgentServer.started();
  const session = server.session();
  session.pageSize = 1_000;
  const options = { storage: memoryOutbox(), requestTimeoutMs: 150 };
  const start = () => {
    const client = connect(server, options);
    client.open(session.id);
    return client;
  };
  const stage: Play = {
    server,
    session,
    client: start(),
    sent: [],
    reload: () => {
      stage.client.close();
      stage.client = start();
    },
  };
  try {
    for (const step of steps) await STEPS[step](stage);
    mend(server);
    // One more event, so that what was lost last shows itself as a gap; a quiet session is mended by its next event.
    session.update({ title: 'over' });
    await converged(stage);
  } finally {
    stage.client.close();
  }
}

async function converged({ server, session, client, sent }: Play): Promise<void> {
  await eventually(() => sent.every((messageId) => session.messages.has(messageId)));
  const opened = client.open(session.id);
  await until(opened.view, (view) => view.seq === session.seq && view.phase === 'ready' && view.outbox.length === 0);
  await eventually(() => opened.view.get().seq === session.seq);
  using fresh = connect(server);
  const expected = await until(fresh.open(session.id).view, (view) => view.phase === 'ready');
  // A piece of the live text or output that was lost with nothing after it shows itself with the next one.
  for (const call of session.calls.values()) if (!isFinalCallState(call.state)) session.output(call.id, 'last');
  if (session.live) stream(session, 'text', 'last');
  const same = () => JSON.stringify(withoutInputs(opened.view.get())) === JSON.stringify(withoutInputs(fresh.open(session.id).view.get()));
  await eventually(same).catch(() => assert.deepEqual(withoutInputs(opened.view.get()), withoutInputs(fresh.open(session.id).view.get())));
  assert.equal(expected.phase, 'ready');
  const own = [...session.messages.keys()].filter((messageId) => sent.includes(messageId));
  assert.deepEqual(own.toSorted(), sent.toSorted(), 'each message once');
  session.finish();
  await until(opened.view, (view) => view.seq === session.seq);
  assert.equal(opened.view.get().live, undefined);
}

/** The input of a call that is being written is in no snapshot: only who was there from its start has it. */
function withoutInputs(view: ReturnType<ReturnType<Play['client']['open']>['view']['get']>): unknown {
  const { liveInputs: _liveInputs, calls, live, ...rest } = view;
  const parts = live?.parts.map((part) => (part.type === 'tool_call' ? { type: part.type } : part));
  return { ...rest, live: live && { id: live.id, seq: live.seq, parts }, calls: Object.entries(calls).toSorted(([a], [b]) => (a < b ? -1 : 1)) };
}

it('K23: after any sequence of faults the view is that of a fresh client, and each message is in the history once', async () => {
  const sequence = fc.array(fc.constantFrom(...(Object.keys(STEPS) as (keyof typeof STEPS)[])), { minLength: 1, maxLength: 30 });
  await fc.assert(fc.asyncProperty(sequence, play), { seed, numRuns: 40, endOnFailure: false });
});
