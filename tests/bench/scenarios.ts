import { setTimeout as pause } from 'node:timers/promises';
import { askedText, calls, type ModelRequest, type Reply, type ScriptedModel, type Step, says, stampedTokens } from '@tendon/testing';
import { type Figure, figure } from './figures.ts';
import { StreamReader } from './stream-reader.ts';
import type { Conversation, Target } from './target.ts';
import type { TendonConversation } from './tendon-target.ts';

const PACE_REFILL_MS = 4_500;

/** What the model answers follows from the latest prompt: `tokens COUNT EVERY_MS`, `command TEXT`, `tool`, anything else gets a word. */
export function benchScript(request: ModelRequest): Reply | readonly Step[] {
  const asked = askedText(request);
  const tokens = /tokens (\d+) (\d+)/.exec(asked);
  if (tokens) return [stampedTokens(Number(tokens[1]), Number(tokens[2]))];
  const command = /^command (.*)/s.exec(asked);
  if (command && request.tools.includes('bash')) return [calls({ name: 'bash', input: { command: command[1] } })];
  if (asked.includes('tool') && request.tools.includes('bash')) return [calls({ name: 'bash', input: { command: 'true' } })];
  return says('Done.');
}

export interface StreamFigures {
  readonly firstTokenMs: Figure;
  readonly promptToAcknowledgementMs: Figure;
  readonly promptToModelMs: Figure;
}

/** One token an answer, one answer after the other. */
export async function firstTokens(target: Target, model: ScriptedModel, rounds: number): Promise<StreamFigures> {
  const [conversation] = await target.open(1);
  const first: number[] = [];
  const acknowledged: number[] = [];
  const reached: number[] = [];
  for (let round = -10; round < rounds; round += 1) {
    const reader = new StreamReader();
    const { sentAt, acknowledgedAt } = (await conversation?.prompt('tokens 1 0', reader)) ?? { sentAt: 0, acknowledgedAt: 0 };
    await reader.whole(1);
    await conversation?.settled();
    const receivedAt = model.requests.at(-1)?.receivedAt ?? Number.NaN;
    if (round < 0) continue;
    first.push(...reader.latencies());
    acknowledged.push(acknowledgedAt - sentAt);
    reached.push(receivedAt - sentAt);
  }
  return { firstTokenMs: figure(first), promptToAcknowledgementMs: figure(acknowledged), promptToModelMs: figure(reached) };
}

/** Tokens a second over 2,000 tokens that the model writes as fast as it can. */
export async function fullSpeed(target: Target, rounds: number): Promise<Figure> {
  const count = 2_000;
  const [conversation] = await target.open(1);
  const rates: number[] = [];
  for (let round = -1; round < rounds; round += 1) {
    const reader = new StreamReader();
    await conversation?.prompt(`tokens ${count} 0`, reader);
    await reader.whole(count);
    await conversation?.settled();
    const [head, tail] = [reader.arrivals[0], reader.arrivals.at(-1)];
    if (new Set(reader.arrivals.map((arrival) => arrival.index)).size !== count) throw new Error('tokens are missing or came twice');
    if (round >= 0 && head && tail) rates.push((count / (tail.receivedAt - head.sentAt)) * 1_000);
  }
  return figure(rates);
}

/** Latency of every token while `sessions` stream 20 tokens a second each. */
export async function paced(target: Target, sessions: number, seconds: number): Promise<Figure> {
  const count = seconds * 20;
  const conversations = await target.open(sessions);
  const readers = conversations.map(() => new StreamReader());
  const pause = 50 / sessions;
  await Promise.all(
    conversations.map((conversation, index) =>
      startAfter(index * pause, () => conversation.prompt(`tokens ${count} 50`, readers[index] ?? new StreamReader())),
    ),
  );
  await Promise.all(readers.map((reader) => reader.whole(count)));
  await Promise.all(conversations.map((conversation) => conversation.settled()));
  const latencies = readers.flatMap((reader) => reader.latencies());
  if (latencies.length !== sessions * count) throw new Error(`${sessions * count - latencies.length} tokens are missing`);
  return figure(latencies);
}

function startAfter<T>(ms: number, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => setTimeout(() => work().then(resolve, reject), ms));
}

/** Prompt, call, approval, command, result, second model call, answer; without the command's own time. */
export async function toolRoundTrips(target: Target, rounds: number): Promise<Figure> {
  const [conversation] = await target.open(1);
  const times: number[] = [];
  for (let round = -5; round < rounds; round += 1) {
    const time = (await conversation?.toolRoundTrip()) ?? Number.NaN;
    if (round >= 0) times.push(time);
  }
  return figure(times);
}

export interface HistoryFigures {
  readonly messages: number;
  readonly openMs: Figure;
  readonly nextTurnMs: Figure;
}

/** Opening a session of that many messages, and what its next turn takes until the model is asked. */
export async function longSession(conversation: TendonConversation, model: ScriptedModel, messages: number): Promise<HistoryFigures> {
  for (let turn = 0; turn < messages / 2; turn += 1) await oneTurn(conversation, `message ${turn}`);
  // What is measured does not wait for the pace that a connection has to keep (T10).
  await pause(PACE_REFILL_MS);
  const opens: number[] = [];
  const turns: number[] = [];
  for (let round = 0; round < 30; round += 1) {
    opens.push(await conversation.attach());
    const { sentAt } = await conversation.prompt('and now');
    await conversation.settled();
    turns.push((model.requests.at(-1)?.receivedAt ?? Number.NaN) - sentAt);
  }
  return { messages, openMs: figure(opens), nextTurnMs: figure(turns) };
}

async function oneTurn(conversation: Conversation, text: string): Promise<void> {
  await conversation.prompt(text, new StreamReader());
  await conversation.settled();
}
