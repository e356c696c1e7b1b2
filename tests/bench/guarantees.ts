import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Journal } from '@tendon/gateway/parts';
import type { ToolResult } from '@tendon/protocol';
import { createLog } from '@tendon/server';
import {
  epochMs,
  heldCommand,
  modelEnvironment,
  type ProcessRig,
  type ScriptedModel,
  startTendon,
  type TendonProcess,
  temporaryFolder,
  testDatabase,
  until,
  untilEnded,
} from '@tendon/testing';
import { simulate } from '../simulation/simulate.ts';
import { events, handshakes } from './door.ts';
import { type Figure, figure, residentMegabytes } from './figures.ts';
import { startFloor } from './floor-target.ts';
import { relayRoundTrips } from './relay.ts';
import { revokedToClosed } from './revocation.ts';
import { StreamReader } from './stream-reader.ts';
import { TendonConversation, type TendonTargetOptions } from './tendon-target.ts';

/** What the guarantees cost: journal, stop, revocation, takeover, catching up, memory. */
export interface GuaranteeSetup {
  readonly options: TendonTargetOptions;
  readonly rig: ProcessRig;
  /** One of many thousand events. */
  readonly longSession: TendonConversation;
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
}

/** From an approval's commit to the start that its machine told. */
async function owedToStarted(options: TendonTargetOptions, rounds: number): Promise<Figure> {
  const conversation = await TendonConversation.open(options);
  for (let round = 0; round < rounds; round += 1) await conversation.toolRoundTrip();
  return figure(conversation.owedToStartedMs);
}

/** From a stop's sending to the last token that still came, and to the client being told that the session rests. */
async function stopWhileStreaming(options: TendonTargetOptions, rounds: number): Promise<{ stopToLastTokenMs: Figure; stopToIdleMs: Figure }> {
  const conversation = await TendonConversation.open(options);
  const lastTokens: number[] = [];
  const idles: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const reader = new StreamReader();
    await conversation.prompt('tokens 4000 2', reader);
    await reader.whole(100);
    const sentAt = epochMs();
    await conversation.stop();
    await conversation.settled();
    idles.push(epochMs() - sentAt);
    lastTokens.push(Math.max(0, (reader.arrivals.at(-1)?.receivedAt ?? sentAt) - sentAt));
  }
  return { stopToLastTokenMs: figure(lastTokens), stopToIdleMs: figure(idles) };
}

/** From a stop's sending to the end of a command and of its child. */
async function stopWhileRunning(options: TendonTargetOptions, workspace: string, rounds: number): Promise<Figure> {
  const conversation = await TendonConversation.open(options);
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const held = await heldCommand(workspace);
    await conversation.prompt(`command ${held.command}`);
    const pids = await held.pids();
    const sentAt = epochMs();
    await conversation.stop();
    await untilEnded(pids);
    times.push(epochMs() - sentAt);
    await conversation.settled();
  }
  return figure(times);
}

/** What one call adds in the journal: STARTED and DONE, each synced; beside two bare appends with their syncs. */
async function journalCost(rounds: number): Promise<{ journalMs: Figure; bareSyncsMs: Figure }> {
  await using folder = await temporaryFolder();
  const journal = await Journal.open({ path: join(folder.path, 'journal.jsonl'), log: createLog({ level: 'error', pretty: false }), newId: randomUUID });
  const bare = await open(join(folder.path, 'bare'), 'a');
  const result = { status: 'succeeded' as const, content: [{ type: 'text' as const, text: 'x'.repeat(200) }] } satisfies ToolResult;
  const times: number[] = [];
  const floor: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const callId = randomUUID();
    times.push(
      await timed(async () => {
        await journal.append({ kind: 'started', callId, tool: 'bash', inputHash: 'h', at: new Date().toISOString() });
        await journal.append({ kind: 'done', callId, result });
      }),
    );
    floor.push(
      await timed(async () => {
        for (const size of [120, 300]) {
          await bare.appendFile(Buffer.alloc(size));
          await bare.datasync();
        }
      }),
    );
  }
  await bare.close();
  await journal.close();
  return { journalMs: figure(times), bareSyncsMs: figure(floor) };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = epochMs();
  await work();
  return epochMs() - begun;
}

/** Two nodes on one database. The one that streams ends by the signal; until the other asks the model for the same session again. */
async function takeover(model: ScriptedModel, environment: Readonly<Record<string, string>>, signal: 'SIGKILL' | 'SIGTERM'): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await testDatabase());
  const key = `tdn_${randomUUID()}${randomUUID()}`;
  const node = async (): Promise<TendonProcess> => {
    const home = stack.use(await temporaryFolder());
    const scratch = stack.use(await temporaryFolder());
    const env = {
      ...environment,
      TENDON_HOME: home.path,
      TENDON_PORT: '0',
      TENDON_DATABASE_URL: database.url,
      TENDON_OWNER_KEY: key,
      TENDON_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    };
    return stack.use(await startTendon({ args: ['server'], env, scratch: scratch.path }));
  };
  const first = await node();
  const second = await node();
  const conversation = await TendonConversation.open({ url: first.url, key, stack });
  const reader = new StreamReader();
  await conversation.prompt('tokens 200 20', reader);
  await reader.whole(20);
  const asked = model.requests.length;
  const begun = epochMs();
  await first.end(signal);
  const request = await until({ what: 'another node to ask the model', pollMs: 5, deadlineMs: 60_000, check: () => model.requests[asked] });
  const took = request.receivedAt - begun;
  await second.end('SIGTERM');
  return took;
}

/** Attaching with a cursor that lies this many events back. */
async function catchUp(conversation: TendonConversation, missed: number, rounds: number): Promise<{ events: number; ms: Figure }> {
  const times: number[] = [];
  let events = 0;
  for (let round = 0; round < rounds; round += 1) {
    const begun = epochMs();
    events = await conversation.catchUp(missed);
    times.push(epochMs() - begun);
  }
  return { events, ms: figure(times) };
}

/** Resident memory of the server per session that somebody has open, at rest and while all of them stream. Rough: it counts what the collector has left. */
export async function memoryPerSession(
  who: Pick<TendonTargetOptions, 'url' | 'key'>,
  pid: number,
  sessions: number,
): Promise<{ idleMb: number; runningMb: number }> {
  // Closed in the end: a person may have 300 connections (T25), and another 200 are measured later.
  await using stack = new AsyncDisposableStack();
  const options = { ...who, stack };
  const before = residentMegabytes(pid);
  const conversations = await Promise.all(Array.from({ length: sessions }, () => TendonConversation.open(options)));
  const idle = residentMegabytes(pid);
  const readers = conversations.map(() => new StreamReader());
  await Promise.all(conversations.map((conversation, index) => conversation.prompt('tokens 40 50', readers[index])));
  await Promise.all(readers.map((reader) => reader.whole(20)));
  const running = residentMegabytes(pid);
  await Promise.all(conversations.map((conversation) => conversation.settled()));
  return { idleMb: (idle - before) / sessions, runningMb: (running - before) / sessions };
}

async function schedulesPerSecond(runs: number): Promise<number> {
  const begun = epochMs();
  await simulate({ firstSeed: 1_000_000, runs, jobs: 2 });
  return (runs / (epochMs() - begun)) * 1_000;
}

/** All of it, on a running product. The long session is one of many thousand events. */
export async function guarantees(setup: GuaranteeSetup): Promise<Record<string, unknown>> {
  const { options, rig, longSession, isQuick, say } = setup;
  say('stops');
  const stopStreaming = await stopWhileStreaming(options, isQuick ? 5 : 30);
  const stopProcessesMs = await stopWhileRunning(options, rig.workspace, isQuick ? 3 : 10);
  const owedToStartedMs = await owedToStarted(options, isQuick ? 5 : 50);
  const journal = await journalCost(isQuick ? 50 : 300);
  const afterMissed = await catchUp(longSession, isQuick ? 1_000 : 5_000, 10);
  say('revocation');
  const revokedToClosedMs = await revokedToClosed(options, isQuick ? 5 : 20);
  say('relay');
  // Below what one connection may ask in a second (T10): nothing of it waits for its limit.
  const relay = await relayRoundTrips(options, 100);
  say('the door');
  const bareUrl = await startFloor(rig.model.url, options.stack);
  const door = { ...(await handshakes(options, bareUrl, isQuick ? 20 : 300)), ...(await events(options, bareUrl, isQuick ? 10 : 60)) };
  say('takeovers');
  const takeoverMs: Record<string, Figure> = {};
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const times: number[] = [];
    for (let round = 0; round < (isQuick ? 1 : 5); round += 1) times.push(await takeover(rig.model, modelEnvironment(rig.model), signal));
    takeoverMs[signal] = figure(times);
  }
  say('simulation');
  const simulatedPerSecond = await schedulesPerSecond(isQuick ? 500 : 5_000);
  return { owedToStartedMs, ...stopStreaming, stopProcessesMs, ...journal, afterMissed, revokedToClosedMs, ...relay, ...door, takeoverMs, simulatedPerSecond };
}
