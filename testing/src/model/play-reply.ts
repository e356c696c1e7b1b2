import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dialect, StreamEvent } from './dialect.ts';
import { epochMs, type Reply, type ScriptedCall, type Step } from './script.ts';

interface Stage {
  readonly dialect: Dialect;
  readonly response: ServerResponse;
  /** Aborted when the client has left: nothing waits for it any longer. */
  readonly left: AbortSignal;
  readonly encode: (event: StreamEvent) => string;
}

export interface Performance {
  readonly dialect: Dialect;
  readonly model: string;
  readonly reply: Reply;
  readonly response: ServerResponse;
  readonly left: AbortSignal;
}

/** Writes one scripted answer, step by step, and returns when it is over or the client has left. */
export async function playReply({ dialect, model, reply, response, left }: Performance): Promise<void> {
  if ('status' in reply) {
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
    response.end(JSON.stringify(dialect.errorBody(reply.status, reply.message ?? `scripted status ${reply.status}`)));
    return;
  }
  const stage: Stage = { dialect, response, left, encode: dialect.newStream(model) };
  if (reply.firstByte) await unlessLeft(stage, reply.firstByte.pass());
  if (left.aborted) return;
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
  await say(stage, { type: 'start' });
  for (const step of reply.steps) {
    if (left.aborted) return;
    const isOver = await play(stage, step);
    if (isOver) return;
  }
  const hasCalls = reply.steps.some((step) => step.do === 'calls');
  await say(stage, { type: 'finish', usage: reply.usage ?? { inputTokens: 10, outputTokens: 5 }, hasCalls });
  response.end();
}

/** True when the answer ends with this step. */
async function play(stage: Stage, step: Step): Promise<boolean> {
  switch (step.do) {
    case 'text':
      await say(stage, { type: 'text', text: step.text });
      return false;
    case 'reasoning':
      await say(stage, { type: 'reasoning', text: step.text });
      return false;
    case 'calls':
      await playCalls(stage, step.calls);
      return false;
    case 'tokens':
      await playTokens(stage, step);
      return false;
    case 'gate':
      await unlessLeft(stage, step.gate.pass());
      return false;
    case 'error':
      await say(stage, { type: 'error', message: step.message });
      stage.response.end();
      return true;
    case 'cut':
      stage.response.socket?.resetAndDestroy();
      return true;
    case 'end':
      stage.response.end();
      return true;
    case 'hang':
      await unlessLeft(stage, new Promise<never>(() => undefined));
      return true;
  }
}

async function playCalls(stage: Stage, calls: readonly ScriptedCall[]): Promise<void> {
  const named = calls.map((call, index) => ({ ...call, id: call.id ?? `call_${crypto.randomUUID().slice(0, 8)}_${index}` }));
  const events = named.map((call) => callEvents(call));
  if (!stage.dialect.interleavesCalls) {
    for (const event of events.flat()) await say(stage, event);
    return;
  }
  const longest = Math.max(...events.map((list) => list.length));
  for (let turn = 0; turn < longest; turn += 1) {
    for (const list of events) {
      const event = list[turn];
      if (event) await say(stage, event);
    }
  }
}

function callEvents(call: ScriptedCall & { readonly id: string }): StreamEvent[] {
  const text = typeof call.input === 'string' ? call.input : JSON.stringify(call.input);
  const size = Math.max(1, Math.ceil(text.length / (call.pieces ?? 3)));
  const events: StreamEvent[] = [{ type: 'call', id: call.id, name: call.name }];
  for (let at = 0; at < text.length; at += size) events.push({ type: 'input', id: call.id, text: text.slice(at, at + size) });
  return events;
}

/** Paced by the clock and not by the pauses between, so that a late token does not make all others late. */
async function playTokens(stage: Stage, step: Extract<Step, { do: 'tokens' }>): Promise<void> {
  const startedAt = epochMs();
  for (let index = 0; index < step.count && !stage.left.aborted; index += 1) {
    const pauseMs = startedAt + index * step.everyMs - epochMs();
    if (pauseMs > 1) await unlessLeft(stage, sleep(pauseMs));
    await say(stage, { type: 'text', text: step.text(index) });
  }
}

async function say(stage: Stage, event: StreamEvent): Promise<void> {
  if (stage.left.aborted) return;
  if (!stage.response.write(stage.encode(event))) await unlessLeft(stage, once(stage.response, 'drain'));
}

function unlessLeft(stage: Stage, something: Promise<unknown>): Promise<unknown> {
  if (stage.left.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const leave = (): void => resolve();
  stage.left.addEventListener('abort', leave, { once: true });
  return Promise.race([something, promise]).finally(() => stage.left.removeEventListener('abort', leave));
}
