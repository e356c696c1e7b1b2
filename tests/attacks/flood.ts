// npm run flood -- --seconds N: floods, one after another, while somebody else asks and is answered; with what that costs.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type AgentSocket, type ProcessRig, processRig, SessionView, says, type TendonProcess, until, within } from '@tendon/testing';
import { CUT_LATE, FLOODS, type FloodCounts, type FloodPlace } from './flood-kinds.ts';

/** What somebody else noticed. Times in milliseconds. */
interface Latency {
  readonly asked: number;
  readonly answered: number;
  readonly p50: number;
  readonly p99: number;
}

/** Resident memory of the server's process, in MiB. */
interface Memory {
  readonly before: number;
  readonly peak: number;
  readonly after: number;
  /** What waited for connections to take it, at its most. */
  readonly unsentPeak: number;
  /** What had come of unfinished messages, at its most. */
  readonly unfinishedPeak: number;
}

export interface FloodReport {
  readonly name: string;
  readonly quiet: Latency;
  readonly flooded: Latency;
  readonly memory: Memory;
  readonly counts: FloodCounts;
}

/** What the server's process may keep after a flood, and may take while it lasts. */
export const MEMORY_BOUNDS = {
  ...{ afterMiB: 600, peakMiB: 1_000, /** T26: all floods are of one person. */ unsentMiB: 64 },
  /** T27. What comes is looked at with each eighth that is new. */
  unfinishedMiB: 72,
};
const ASK_EVERY_MS = 40;
const GAUGES_EVERY_MS = 200;
const SETTLE_LIMIT_MS = 30_000;
const FLOOD_END_LIMIT_MS = 75_000;
const MEBIBYTE = 1_024 * 1_024;

/** A server in a process of its own, somebody who is measured, and what a flooder is given. */
export interface FloodRig extends AsyncDisposable {
  run(name: string, seconds: number): Promise<FloodReport>;
  /** Whether the server lives and serves. */
  isServing(): Promise<boolean>;
}

export async function floodRig(): Promise<FloodRig> {
  await using stack = new AsyncDisposableStack();
  const rig = stack.use(await processRig({ env: { TENDON_LOG_LEVEL: 'error' } }));
  const server = await rig.start('server');
  rig.model.otherwise(() => says('answered'));
  const place = await placeFor(rig, server);
  const measured = await SessionView.create(await rig.connect('measured'));
  const kept = stack.move();
  return {
    run: (name, seconds) => runFlood({ name, seconds, place, measured, pid: server.pid }),
    isServing: async () => (await fetch(`${rig.url}/readyz`)).status === 200,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** A key of the flooder's own, and a session of some 12 MiB. */
async function placeFor(rig: ProcessRig, server: TendonProcess): Promise<FloodPlace> {
  const made = await fetch(`${rig.url}/api/keys`, {
    ...{ method: 'POST', headers: { Authorization: `Bearer ${rig.key}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ name: 'flooder' }) },
  });
  const { key } = (await made.json()) as { key: string };
  const socket = await rig.connect('writer');
  const session = await SessionView.create(socket);
  for (let left = 48; left > 0; left -= 1) {
    rig.model.script(says('x'.repeat(250_000)));
    await session.say('more');
    await session.untilStatus('idle');
  }
  socket.close();
  return { port: server.port, key, sessionId: session.id };
}

interface Run {
  readonly name: string;
  readonly seconds: number;
  readonly place: FloodPlace;
  readonly measured: SessionView;
  readonly pid: number;
}

async function runFlood({ name, seconds, place, measured, pid }: Run): Promise<FloodReport> {
  const quiet = await measure(measured, seconds);
  const before = residentMiB(pid);
  let peak = before;
  const sampling = setInterval(() => {
    peak = Math.max(peak, residentMiB(pid));
  }, 50);
  const gauges = watchGauges(place.port);
  const child = fork(join(import.meta.dirname, 'flooder.ts'), [name, JSON.stringify(place)], { stdio: 'inherit' });
  try {
    await within('the flood to begin', once(child, 'message'), 10_000);
    const flooded = await measure(measured, seconds);
    const ended = once(child, 'message') as Promise<[FloodCounts]>;
    child.send(CUT_LATE.has(name) ? 'stop when it is cut' : 'stop');
    const [counts] = await within(`the end of the flood of ${name}`, ended, FLOOD_END_LIMIT_MS);
    clearInterval(sampling);
    const memory = { before, peak, after: await settled(pid), unsentPeak: gauges.peakMiB('unsent'), unfinishedPeak: gauges.peakMiB('unfinished') };
    return { name, quiet, flooded, memory, counts };
  } finally {
    clearInterval(sampling);
    gauges.stop();
    child.kill('SIGKILL');
  }
}

/** Asks, waits for the answer, asks again; until the time is up and the last answer is there. */
async function measure(view: SessionView, seconds: number): Promise<Latency> {
  const times: number[] = [];
  let asked = 0;
  for (const end = performance.now() + seconds * 1_000; performance.now() < end; ) {
    const begun = performance.now();
    asked += 1;
    await roundTrip(view.socket, view);
    times.push(performance.now() - begun);
    // No faster than the server lets anybody ask (T10).
    await pause(Math.max(0, ASK_EVERY_MS - (performance.now() - begun)));
  }
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { asked, answered: times.length, p50: at(0.5), p99: at(0.99) };
}

async function roundTrip(socket: AgentSocket, view: SessionView): Promise<void> {
  // What was heard before is not looked through again and again.
  socket.received.length = 0;
  await view.say('are you there?');
  await socket.until(
    'an answer',
    () =>
      socket.received.some(({ name, notice }) => name === 'session:event' && notice.type === 'message.completed' && notice.data.message.role === 'assistant'),
    60_000,
  );
  await socket.until(
    'rest',
    () => socket.received.some(({ name, notice }) => name === 'session:event' && notice.type === 'session.updated' && notice.data.session.status === 'idle'),
    60_000,
  );
}

/** When the memory is back within its bound, or what it is when that does not happen. */
async function settled(pid: number): Promise<number> {
  const isBack = until({ what: 'memory to be given back', pollMs: 250, deadlineMs: SETTLE_LIMIT_MS, check: () => residentMiB(pid) <= MEMORY_BOUNDS.afterMiB });
  await isBack.catch(() => undefined);
  return residentMiB(pid);
}

/** Asks the server itself, which in a flood of requests may have no answer. */
function watchGauges(port: number): { peakMiB(name: GaugeName): number; stop(): void } {
  const peaks = { unsent: 0, unfinished: 0 };
  let isOver = false;
  const watch = async (): Promise<void> => {
    while (!isOver) {
      const page = await fetch(`http://127.0.0.1:${port}/metrics`).then(
        (answer) => answer.text(),
        () => '',
      );
      for (const [, name, bytes] of page.matchAll(/^tendon_(unsent|unfinished)_bytes (\S+)$/gm))
        peaks[name as GaugeName] = Math.max(peaks[name as GaugeName], Math.round(Number(bytes) / MEBIBYTE));
      await pause(GAUGES_EVERY_MS);
    }
  };
  void watch();
  return {
    peakMiB: (name) => peaks[name],
    stop: () => {
      isOver = true;
    },
  };
}

type GaugeName = 'unsent' | 'unfinished';

function residentMiB(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return Math.round((pages * 4_096) / MEBIBYTE);
}

export function lineOf({ name, quiet, flooded, memory, counts }: FloodReport): string {
  const times = (latency: Latency): string => `${latency.p50.toFixed(0)} / ${latency.p99.toFixed(0)}`;
  const { before, peak, after, unsentPeak, unfinishedPeak } = memory;
  const said = Object.entries(counts.answers).map(([code, count]) => `${count} ${code}`);
  const fate = [
    `${counts.sent} sent`,
    ...said,
    ...(counts.refused > 0 && said.length === 0 ? [`${counts.refused} refused`] : []),
    ...(counts.cut > 0 ? [`${counts.cut} cut`] : []),
  ].join(', ');
  return `| ${name} | ${fate} | ${flooded.answered} of ${flooded.asked} | ${times(quiet)} | ${times(flooded)} | ${before} / ${peak} / ${after} | ${unsentPeak} / ${unfinishedPeak} |`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '10' }, only: { type: 'string' } } });
  const line = (text: string): void => void process.stdout.write(`${text}\n`);
  await using rig = await floodRig();
  line(
    `${values.seconds} s each, ${cpus().length} cores (${cpus()[0]?.model}), ${Math.round(totalmem() / MEBIBYTE / 1_024)} GiB, Node ${process.versions.node}`,
  );
  line(
    '| flood | came of it | answers of the other | ms without, p50 / p99 | ms with | MiB before / peak / after | MiB unsent / unfinished, peak |\n|---|---|---|---|---|---|---|',
  );
  for (const name of Object.keys(FLOODS))
    if (values.only === undefined || name.includes(values.only)) line(lineOf(await rig.run(name, Number(values.seconds))));
  process.exitCode = (await rig.isServing()) ? 0 : 1;
}

if (import.meta.main) await main();
