import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Call, Message, ToolContent } from '@tendon/protocol';
import { v7 as newId } from 'uuid';
import type { HistoryItem, ModelPort, StepOutcome } from './model-port.ts';
import { createModels } from './models.ts';
import { ANTHROPIC, COMPATIBLE, type Reply, ScriptedProvider } from './provider-dialects.test-kit.ts';
import { RefusedPictures } from './refused-pictures.ts';

const AT = '2026-01-01T00:00:00.000Z';
const SESSION = newId();
const provider = await ScriptedProvider.start();
after(() => provider[Symbol.asyncDispose]());
const makeModels = (): ModelPort => createModels(ANTHROPIC.config(provider.url), { random: () => 0 });

function message(role: Message['role'], parts: Message['parts']): Message {
  return { id: newId(), sessionId: SESSION, seq: 1, role, state: 'complete', parts, createdAt: AT };
}

function looked(data: string): HistoryItem {
  const content: ToolContent[] = [
    { type: 'text', text: `a picture: ${data}` },
    { type: 'image', data, mimeType: 'image/png' },
  ];
  const call: Call = {
    ...{ id: newId(), sessionId: SESSION, messageId: SESSION, tool: 'read_file', kind: 'local', effect: 'read', input: { path: 'a' }, inputHash: 'h' },
    ...{ state: 'succeeded', createdAt: AT, result: { status: 'succeeded', content } },
  };
  return { message: message('assistant', [{ type: 'tool_call', callId: call.id }]), calls: [call] };
}

function attached(base64: string): HistoryItem {
  const attachmentId = newId();
  const parts: Message['parts'] = [
    { type: 'text', text: 'look' },
    { type: 'attachment', attachmentId, name: 'shot.png', mediaType: 'image/png' },
  ];
  return { message: message('user', parts), calls: [], attachments: { [attachmentId]: { mediaType: 'image/png', base64 } } };
}

const asked: HistoryItem = { message: message('user', [{ type: 'text', text: 'look' }]), calls: [] };

const answer: Reply = (response) => {
  ANTHROPIC.begin(response);
  ANTHROPIC.text(response, 'Hello.');
  ANTHROPIC.finish(response, 'stop');
};
const refusal: Reply = (response) => void response.writeHead(400, { 'content-type': 'application/json' }).end(ANTHROPIC.refusal('Could not process image'));
/** As a provider does that cannot read this one picture. */
const without =
  (data: string): Reply =>
  (response, request) =>
    pictures(request.body).includes(data) ? refusal(response, request) : answer(response, request);

function pictures(body: unknown): string[] {
  return [...JSON.stringify(body).matchAll(/"type":"base64","media_type":"[^"]*","data":"([^"]*)"/g)].map((match) => match[1] ?? '');
}

function step(models: ModelPort, history: readonly HistoryItem[], model = ANTHROPIC.model): Promise<StepOutcome> {
  const request = { model, instructions: '', history, tools: [], signal: new AbortController().signal };
  return models.step(request, { partStarted: () => undefined, delta: () => undefined });
}

test('M25: a request with pictures that is refused goes once more without them, and from then on they are left out', async () => {
  const models = makeModels();
  for (const bad of [looked('YmFk'), attached('YmFk')]) {
    const history = [asked, bad];
    provider.script(without('YmFk'));
    assert.equal((await step(models, history)).kind, 'completed');
    assert.deepEqual(
      provider.requests.map(({ body }) => pictures(body)),
      [['YmFk'], []],
    );
    const [, second] = provider.requests;
    assert.match(JSON.stringify(second?.body), /refused a request with pictures, so they are left out.*make a smaller copy|its content is not shown to you/);
    assert.match(JSON.stringify(second?.body), /a picture: YmFk|shot\.png/, 'what else it said stays');
    history.push(asked, looked('ZmluZQ=='));
    assert.equal((await step(models, history)).kind, 'completed');
    assert.deepEqual(
      provider.requests.slice(2).map(({ body }) => pictures(body)),
      [['ZmluZQ==']],
      'a new picture is shown, the refused one is not tried again',
    );
  }
});

test('M25: another model is shown what one has refused', async () => {
  const models = makeModels();
  const history = [asked, looked('YmFk')];
  provider.script(without('YmFk'));
  await step(models, history);
  provider.script(answer);
  assert.equal((await step(models, history, 'anthropic/another')).kind, 'completed');
  assert.deepEqual(
    provider.requests.map(({ body }) => pictures(body)),
    [['YmFk']],
  );
});

test('M25, M10: a request that is refused without its pictures as well is told as it is, and they are shown again', async () => {
  const models = makeModels();
  const history = [asked, looked('ZmluZQ==')];
  provider.script(refusal);
  const outcome = await step(models, history);
  assert.equal(outcome.kind === 'failed' && outcome.error.code, 'model_bad_response');
  assert.match(outcome.kind === 'failed' ? outcome.error.message : '', /Could not process image/);
  assert.equal(provider.requests.length, 2);
  provider.script(answer);
  assert.equal((await step(models, history)).kind, 'completed');
  assert.deepEqual(
    provider.requests.map(({ body }) => pictures(body)),
    [['ZmluZQ==']],
  );
});

test('M25, M10: where no picture goes along, a refused request is not repeated', async () => {
  provider.script(refusal);
  await step(makeModels(), [asked]);
  assert.equal(provider.requests.length, 1);
  const described = createModels(COMPATIBLE.config(provider.url), { random: () => 0 });
  provider.script(refusal);
  await step(described, [asked, looked('YmFk')], COMPATIBLE.model);
  assert.equal(provider.requests.length, 1);
});

test('M25: what is remembered is bounded, the oldest goes first', () => {
  const refused = new RefusedPictures();
  const name = { provider: 'openai', id: 'x' } as const;
  refused.add(name, ['first', 'second']);
  refused.add(
    name,
    Array.from({ length: 9_999 }, (_, index) => String(index)),
  );
  assert.deepEqual([refused.has(name, 'first'), refused.has(name, 'second'), refused.has(name, '9998')], [false, true, true]);
  assert.equal(refused.has({ provider: 'google', id: 'x' }, 'second'), false);
});
