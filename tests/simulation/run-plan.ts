import { isDeepStrictEqual } from 'node:util';
import type { SessionView } from '@tendon/client';
import { Device } from './device.ts';
import { Machine } from './machine.ts';
import { performStep } from './perform-step.ts';
import type { Plan } from './plan.ts';
import { ServerNode } from './server-node.ts';
import { takeOverGlobals } from './virtual-time.ts';
import { World } from './world.ts';

export interface Population {
  readonly world: World;
  readonly nodes: readonly ServerNode[];
  readonly machines: readonly Machine[];
  readonly devices: readonly Device[];
  readonly sessionIds: string[];
}

export interface Outcome {
  readonly violations: readonly string[];
  readonly checks: ReadonlyMap<string, number>;
  readonly reached: ReadonlyMap<string, number>;
  readonly steps: number;
  /** The same for the same plan, always. */
  readonly trace: number;
  readonly virtualMs: number;
}

/** Backoff of a gateway can reach 30 s; on top what invariant I18 grants, the tools' own time, and the 20 s that a process may still be stopped. */
const REST_WITHIN_MS = 110_000;
/** Rest is what lasts so long: longer than any packet, statement, sweep or pause between two tries. */
const REST_MS = 4_500;
const CONVERGE_MS = 5_000;
const LOOK_AGAIN_MS = 20;

/** Plays one plan from an empty database to rest, and judges it. */
export async function runPlan(plan: Plan, story?: string[]): Promise<Outcome> {
  const world = new World(plan);
  world.judge.story = story;
  const giveBack = takeOverGlobals(world.time, world.random.next);
  try {
    await play(plan, world);
  } catch (error) {
    world.judge.check('I16', false, () => `something threw: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    giveBack();
  }
  const { violations, checks, reached } = world.judge;
  return { violations, checks, reached, steps: world.time.steps, trace: world.time.trace, virtualMs: world.time.nowMs };
}

async function play(plan: Plan, world: World): Promise<void> {
  const population = populate(plan, world);
  const { time, judge } = world;
  await time.runUntil(100);
  await makeSessions(population);
  for (const step of plan.steps)
    time.after(
      step.atMs,
      () => {
        judge.note(() => `--- ${step.kind} ${step.pick}`);
        performStep(population, step);
      },
      null,
    );
  const startedAt = time.nowMs;
  for (let at = startedAt; at < startedAt + plan.endsAtMs; at += 1_000) {
    await time.runUntil(Math.min(at + 1_000, startedAt + plan.endsAtMs));
    judge.lookAround();
  }
  await heal(population);
  const limit = time.nowMs + REST_WITHIN_MS;
  // A packet that was under way may begin new work: rest is what lasts.
  for (let restedMs = 0; time.nowMs < limit && restedMs < REST_MS; restedMs = isAtRest(population) ? restedMs + 500 : 0) {
    await time.runUntil(time.nowMs + 500);
    judge.lookAround();
  }
  judge.atTheEnd();
  await compareViews(population);
}

function populate({ nodes: nodeCount, machines: machineCount, hasStranger }: Plan, world: World): Population {
  const nodes: ServerNode[] = [];
  const users = [world.newId(), world.newId()];
  for (let index = 0; index < nodeCount; index += 1) nodes.push(new ServerNode(world, { name: `node-${index}`, nodes: () => nodes }));
  for (const node of nodes) node.boot();
  const owner = users[0] as string;
  const machines = Array.from({ length: machineCount }, () => new Machine(world, { userId: owner, nodes: () => nodes }));
  for (const machine of machines) machine.boot();
  const devices = [owner, owner, ...(hasStranger ? [users[1] as string] : [])].map((userId) => new Device(world, { userId, nodes: () => nodes }));
  return { world, nodes, machines, devices, sessionIds: [] };
}

/** Two of the person, and one of somebody else. */
async function makeSessions({ world, devices, sessionIds }: Population): Promise<void> {
  const [first, second, stranger] = devices as [Device, Device, Device?];
  for (const device of [first, first, ...(stranger ? [stranger] : [])]) {
    const made = device.ask('session:create', {});
    const answered = { isDone: false };
    made.then(() => Object.assign(answered, { isDone: true })).catch(() => undefined);
    await world.time.runUntil(world.time.nowMs + 5_000, () => answered.isDone);
    const result = await made;
    if (!result.ok) throw new Error(`no session could be made: ${result.error.message}`);
    sessionIds.push(result.data.session.id);
    for (const one of device === stranger ? [device] : [first, second]) one.open(result.data.session.id);
  }
}

async function heal({ world, nodes, machines }: Population): Promise<void> {
  world.calm();
  for (const node of nodes) node.boot();
  for (const machine of machines) machine.boot();
}

function isAtRest({ world, nodes, devices, machines }: Population): boolean {
  const areSessions = [...world.tables.sessions.values()].every(
    (row) => (row.status === 'idle' || row.status === 'waiting_for_user') && row['stopping'] !== true,
  );
  return (
    areSessions &&
    world.weather.halfOpen === 0 &&
    nodes.every((node) => node.isAwake) &&
    devices.every((device) => device.isUpToDate && device.hasSentAll) &&
    machines.every((machine) => machine.isAwake)
  );
}

/** Everyone who has a session open sees what somebody sees who opens it now (I9). */
async function compareViews({ world, nodes, devices }: Population): Promise<void> {
  for (const userId of new Set(devices.map((device) => device.userId))) {
    const own = devices.filter((device) => device.userId === userId);
    const fresh = new Device(world, { userId, nodes: () => nodes });
    const ids = [...new Set(own.flatMap((device) => device.sessionIds))];
    for (const id of ids) fresh.open(id);
    const pairs = ids.flatMap((id) => own.map((device) => ({ id, seen: () => viewed(device.view(id)), wanted: () => viewed(fresh.view(id)) })));
    const isReady = (): boolean => ids.every((id) => fresh.view(id)?.phase === 'ready');
    const mayBeSame = (): boolean => ids.every((id) => own.every((device) => device.view(id)?.seq === fresh.view(id)?.seq));
    const areSame = (): boolean => mayBeSame() && pairs.every(({ seen, wanted }) => isSame(seen(), wanted()));
    // What happens at this very moment is under way to some and not to others.
    for (const end = world.time.nowMs + CONVERGE_MS; world.time.nowMs < end && !(isReady() && areSame()); )
      await world.time.runUntil(Math.min(end, world.time.nowMs + LOOK_AGAIN_MS));
    for (const { id, seen, wanted } of pairs) {
      const say = (): string => `a page of session ${id} differs from a fresh one:\n${JSON.stringify(seen())}\n${JSON.stringify(wanted())}`;
      world.judge.check('I9', isSame(seen(), wanted()), say);
    }
  }
}

function viewed(view: SessionView | undefined): object {
  const messages = (view?.messages ?? []).slice(-40);
  const callIds = new Set(messages.flatMap((message) => message.parts.flatMap((part) => (part.type === 'tool_call' ? [part.callId] : []))));
  const calls = Object.entries(view?.calls ?? {})
    .filter(([id]) => callIds.has(id))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { phase: view?.phase, seq: view?.seq, session: view?.session, messages, calls, live: view?.live, outbox: view?.outbox.length };
}

function isSame(a: unknown, b: unknown): boolean {
  const [one, other] = [JSON.stringify(a), JSON.stringify(b)];
  return one === other || isDeepStrictEqual(JSON.parse(one), JSON.parse(other));
}
