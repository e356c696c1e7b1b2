import { setTimeout as pause } from 'node:timers/promises';
import type { SessionEvent } from '@tendon/protocol';
import { SessionView, type TendonProcess, until } from '@tendon/testing';
import { Random } from '../simulation/random.ts';
import { bringUp, FAULTS, impossibleFaults } from './faults.ts';
import { Judge } from './judge.ts';
import { Person } from './person.ts';
import { type Product, startProduct } from './product.ts';

export interface ChaosTally {
  runs: number;
  /** By kind, and by what the sessions were doing: `kind | phase`. */
  readonly faults: Record<string, number>;
  readonly checks: Record<string, number>;
  readonly requests: Record<'ok' | 'refused' | 'unknown', number>;
  readonly violations: { readonly seed: number; readonly text: string }[];
  /** What was not played, and why. */
  readonly impossible: ReadonlyMap<string, string>;
}

const AT_REST_MS = 90_000;

/** Seeds one after the other on one product: what a run leaves behind is part of the next one's world. */
export async function chaos(firstSeed: number, runs: number, onRun: (text: string) => void = () => undefined): Promise<ChaosTally> {
  const product = await startProduct(new Random(firstSeed));
  const impossible = impossibleFaults(product);
  const tally: ChaosTally = { runs: 0, faults: {}, checks: {}, requests: { ok: 0, refused: 0, unknown: 0 }, violations: [], impossible };
  for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
    const begun = performance.now();
    const judge = new Judge();
    const faults = await oneRun(product, { seed, judge, tally }).catch(async (error: unknown) => {
      judge.violations.push(`I18: ${String(error)}\n${await lastWords('server', product.server)}\n${await lastWords('gateway', product.gateway)}`);
      return [];
    });
    tally.runs += 1;
    take(judge, tally, seed);
    onRun(
      `seed ${seed}: ${((performance.now() - begun) / 1_000).toFixed(1)} s, ${faults.join('; ')}${judge.violations.map((text) => `\n  VIOLATION ${text}`).join('')}`,
    );
  }
  const last = new Judge();
  const left = await product[Symbol.asyncDispose]().then(() => undefined, String);
  last.check('I10', left === undefined, () => `when the product has ended: ${left}`);
  take(last, tally, firstSeed + runs - 1);
  return tally;
}

/** For whoever has to find out why nothing came to rest: whether it lives, and what it said last. */
async function lastWords(name: string, { exited, output }: TendonProcess): Promise<string> {
  const end = await Promise.race([exited, pause(1)]);
  const state = end === undefined ? 'runs' : `has ended with ${end.signal ?? `code ${end.code}`}`;
  return `the ${name} ${state}, and said last:\n${output().slice(-3_000)}`;
}

function take({ checks, violations }: Judge, tally: ChaosTally, seed: number): void {
  for (const [name, count] of Object.entries(checks)) tally.checks[name] = (tally.checks[name] ?? 0) + count;
  for (const text of violations) tally.violations.push({ seed, text });
}

async function oneRun(product: Product, { seed, judge, tally }: { seed: number; judge: Judge; tally: ChaosTally }): Promise<string[]> {
  const random = new Random(seed);
  product.random = random.fork();
  // A gateway that has lost its server again and again waits long: each run has one that begins anew (G2).
  await product.gateway.end('SIGTERM');
  product.gateway = await product.rig.startGateway({ serverUrl: product.gatewayLink.url });
  const sessionIds = await makeSessions(product);
  product.sessionIds = sessionIds;
  const meet = (name: string) => new Person(product.connect(name), { sessionIds, random: random.fork(), workspace: product.rig.workspace });
  const people = [meet('laptop'), meet('phone')];
  await untilAtRest(people);
  const faults = await harm(product, { people, random, tally, seed });
  const dead = await comeToRest(product, people);
  judge.check('I18', dead.length === 0, () => `after the faults this ended by itself:\n${dead.join('\n')}`);
  await pause(300);
  await untilAtRest(people);
  const fresh = meet('newcomer');
  await untilAtRest([fresh]);
  const errands = people.flatMap((person) => person.errands);
  await until({ what: 'long commands to be dead', pollMs: 50, deadlineMs: 6_000, check: () => !errands.some((errand) => errand.runs()) }).catch(
    () => undefined,
  );
  const socket = await product.rig.connect();
  for (const id of sessionIds) judge.session((await SessionView.attach(socket, id)).toldBy(await storedEvents(product, id)), errands);
  socket.close();
  for (const person of people) {
    judge.views(person, fresh);
    judge.requests(person);
    for (const name of ['ok', 'refused', 'unknown'] as const) tally.requests[name] += person.recording[name];
  }
  judge.check(
    'I18',
    people.every((person) => person.isAtRest),
    () => 'what had come to rest moves again by itself',
  );
  for (const person of [...people, fresh]) person.client.close();
  return faults;
}

/** From the first on, out of the database: they may be more than the server would put into one answer. */
function storedEvents({ rig }: Product, sessionId: string): Promise<SessionEvent[]> {
  return rig.sql(`select session_id as "sessionId", seq, to_json(at) as at, type, data from session_events where session_id = $1 order by seq`, [sessionId]);
}

/** A person cannot wait for what they are asked about. */
function settled(people: readonly Person[]): true | undefined {
  if (people.every((person) => person.isAtRest)) return true;
  people[0]?.settle();
  return undefined;
}

/** Answers with the last words of what has ended by itself meanwhile. It is started again, so that only its own run fails by it. */
async function comeToRest(product: Product, people: readonly Person[]): Promise<readonly string[]> {
  const dead: string[] = [];
  let isAtRest = false;
  const care = async (): Promise<void> => {
    while (!isAtRest) {
      const { server, gateway } = product;
      for (const name of await bringUp(product)) dead.push(await lastWords(name, { server, gateway }[name]));
      await pause(200);
    }
  };
  const cared = care();
  const rest = until({ what: 'everything to come to rest', pollMs: 100, deadlineMs: AT_REST_MS, check: () => settled(people) });
  await Promise.race([rest, cared]).finally(() => {
    isAtRest = true;
  });
  await cared;
  return dead;
}

function untilAtRest(people: readonly Person[]): Promise<unknown> {
  return until({ what: 'every page to be in step', pollMs: 20, deadlineMs: AT_REST_MS, check: () => settled(people) });
}

interface Harm {
  readonly people: readonly Person[];
  readonly random: Random;
  readonly tally: ChaosTally;
  readonly seed: number;
}

/** People act while two to four faults happen. The first two kinds follow from the seed, so that a row of seeds has them all. */
async function harm(product: Product, { people, random, tally, seed }: Harm): Promise<string[]> {
  const acting = setInterval(() => random.pick(people).act(), 150);
  const names = Object.keys(FAULTS).filter((name) => !tally.impossible.has(name));
  const kinds = [
    ...[2 * seed, 2 * seed + 1].map((place) => names[place % names.length] ?? ''),
    ...Array.from({ length: random.below(3) }, () => random.pick(names.filter((name) => !name.includes('longer')))),
  ];
  try {
    for (const kind of kinds) {
      await pause(random.between(300, 1_500));
      const key = `${kind} | ${phaseOf(people)}`;
      tally.faults[key] = (tally.faults[key] ?? 0) + 1;
      await FAULTS[kind]?.(product);
    }
    await pause(500);
  } finally {
    clearInterval(acting);
  }
  return kinds;
}

function phaseOf(people: readonly Person[]): string {
  const states = people.flatMap(({ sessions }) => sessions.map((session) => session.view.get().session?.status ?? 'unknown'));
  return ['running', 'waiting_for_tools', 'waiting_for_user'].find((state) => states.includes(state as never)) ?? 'idle';
}

async function makeSessions({ rig }: Product): Promise<string[]> {
  const socket = await rig.connect();
  const made = [await socket.ask('session:create', {}), await socket.ask('session:create', {})];
  socket.close();
  return made.map(({ session }) => session.id);
}
