import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { type ProcessRig, processRig } from '@tendon/testing';
import type { Figure } from './figures.ts';
import { floorTarget } from './floor-target.ts';
import { guarantees, memoryPerSession } from './guarantees.ts';
import { hands } from './hands.ts';
import { benchScript, firstTokens, fullSpeed, longSession, paced, toolRoundTrips } from './scenarios.ts';
import { idleMemory, timedStart } from './start.ts';
import type { Target } from './target.ts';
import { TendonConversation, tendonTarget } from './tendon-target.ts';

/** `npm run bench`: prints every figure with its conditions and its ratio to the floor, measured in the same run, and writes them as JSON. */
const quick = process.argv.includes('--quick');
const rounds = quick ? 30 : 200;
const RESULT = join(import.meta.dirname, '../../test-results/bench.json');
const ACCEPTED = join(import.meta.dirname, 'accepted.json');

type Measured = Record<string, number | Figure>;

async function measureTarget(target: Target, rig: ProcessRig): Promise<Measured> {
  say(`${target.name}: first tokens`);
  const first = await firstTokens(target, rig.model, rounds);
  say(`${target.name}: full speed`);
  const speed = await fullSpeed(target, quick ? 3 : 10);
  say(`${target.name}: tool round trips`);
  const tool = await toolRoundTrips(target, quick ? 10 : 50);
  say(`${target.name}: 50 sessions`);
  const fifty = await paced(target, 50, quick ? 3 : 10);
  say(`${target.name}: 200 sessions`);
  const twoHundred = await paced(target, 200, quick ? 3 : 10);
  return { ...first, tokensPerSecond: speed, toolRoundTripMs: tool, paced50Ms: fifty, paced200Ms: twoHundred };
}

async function measure(): Promise<Record<string, unknown>> {
  const conditions = describeMachine();
  await using stack = new AsyncDisposableStack();
  const rig = stack.use(await processRig({ isNew: true }));
  rig.model.otherwise(benchScript);
  say('first start');
  const first = await timedStart(rig);
  await first.product.end('SIGTERM');
  say('second start');
  const { product, figures } = await timedStart(rig);
  const idle = await idleMemory(product);
  say('memory per session');
  const perSession = await memoryPerSession({ url: rig.url, key: rig.key }, product.pid, 200);
  const floor = await measureTarget(await floorTarget(rig.model.url, stack), rig);
  const options = { url: rig.url, key: rig.key, stack };
  const tendon = await measureTarget(tendonTarget(options), rig);
  const history = [];
  let conversation = await TendonConversation.open(options);
  for (const messages of [100, quick ? 500 : 5_000]) {
    say(`a session of ${messages} messages`);
    conversation = await TendonConversation.open(options);
    history.push(await longSession(conversation, rig.model, messages));
  }
  const kept = await guarantees({ options, rig, longSession: conversation, isQuick: quick, say });
  return {
    conditions: { ...conditions, loadAfter: loadavg()[0] },
    start: { first: first.figures, withData: figures },
    idle: { ...idle, perSession },
    floor,
    tendon,
    history,
    guarantees: kept,
    hands: await hands({ isQuick: quick, say }),
  };
}

function describeMachine(): Record<string, unknown> {
  return {
    date: new Date().toISOString(),
    cores: cpus().length,
    cpu: cpus()[0]?.model,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    loadBefore: loadavg()[0],
    quick,
  };
}

function say(text: string): void {
  process.stderr.write(`... ${text}\n`);
}

function show(value: unknown): string {
  if (typeof value === 'number') return value.toFixed(1);
  const { p50, p99, n } = value as Figure;
  return `p50 ${p50.toFixed(1)}  p99 ${p99.toFixed(1)}  (n ${n})`;
}

function print(results: Awaited<ReturnType<typeof measure>>): void {
  const { conditions, start, idle, history } = results;
  const [floor, tendon] = [results['floor'] as Measured, results['tendon'] as Measured];
  const lines = [`conditions      ${JSON.stringify(conditions)}`, `start ms        ${JSON.stringify(start)}`, `idle MB         ${JSON.stringify(idle)}`];
  for (const [name, value] of Object.entries(tendon)) {
    const below = floor[name] as Figure;
    const ratio = (value as Figure).p50 / below.p50;
    lines.push(`${name.padEnd(27)} ${show(value).padEnd(44)} floor ${show(below).padEnd(44)} ratio of p50 ${ratio.toFixed(2)}`);
  }
  for (const { messages, openMs, nextTurnMs } of history as { messages: number; openMs: Figure; nextTurnMs: Figure }[]) {
    lines.push(`${String(messages).padStart(5)} messages: open ms ${show(openMs)}; next turn to model ms ${show(nextTurnMs)}`);
  }
  for (const [name, value] of Object.entries(results['guarantees'] as Record<string, unknown>)) {
    lines.push(`${name.padEnd(27)} ${typeof value === 'number' || (value as Figure).p50 !== undefined ? show(value) : JSON.stringify(value)}`);
  }
  for (const [name, value] of Object.entries(results['hands'] as Measured)) lines.push(`${name.padEnd(27)} ${show(value)}`);
  process.stdout.write(`${lines.join('\n')}\n${compared(tendon)}`);
}

/** Beside the last accepted run, for the eye: timings are never asserted. */
function compared(tendon: Measured): string {
  let accepted: { tendon: Measured };
  try {
    accepted = JSON.parse(readFileSync(ACCEPTED, 'utf8'));
  } catch {
    return 'no accepted run to compare with\n';
  }
  const rows = Object.entries(tendon).map(
    ([name, value]) => `  ${name.padEnd(27)} ${((value as Figure).p50 / (accepted.tendon[name] as Figure).p50).toFixed(2)}`,
  );
  return `p50 beside the last accepted run (tests/bench/accepted.json):\n${rows.join('\n')}\n`;
}

const results = await measure();
mkdirSync(join(RESULT, '..'), { recursive: true });
writeFileSync(RESULT, `${JSON.stringify(results, null, 2)}\n`);
print(results);
