// npm run fuzz -- --packets N --seed S: packets that nobody would send, over real sockets, at a real server.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Session } from '@tendon/protocol';
import { type NodeRig, nodeRig, says } from '@tendon/testing';
import { Random } from '../simulation/random.ts';
import { damaged, garbage } from './damage.ts';
import { RawSocket } from './raw-socket.ts';

export interface FuzzReport {
  packets: number;
  connections: number;
  /** Answers by what they said: `ok`, or the code of the refusal. */
  readonly answers: Record<string, number>;
  /** Requests whose connection ended before their answer: what they came with was no packet. */
  ended: number;
  /** Requests that were neither answered nor ended with their connection. */
  readonly unanswered: string[];
  /** Answers that told something of the inside. */
  readonly leaks: string[];
}

/** As many as one connection may send at once (T10): more would be refused before anybody looks at them. */
const PACKETS_PER_CONNECTION = 180;
const SILENCE_MS = 15_000;
/** A stack, a query, a path of the server or a driver's words. */
const INSIDE = /\bat [\w.<>]+ \(|node_modules|node:internal|\/packages\/|select .* from|relation "|violates|ECONNREFUSED|SQLSTATE|invalid input syntax/i;

type Fixtures = Readonly<Record<string, { readonly payloads: readonly unknown[] }>>;

const FIXTURES: Readonly<Record<'/agent' | '/gateway', Fixtures>> = { '/agent': readFixtures('agent-requests'), '/gateway': readFixtures('gateway-requests') };

function readFixtures(name: string): Fixtures {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../../packages/protocol/fixtures/v1', `${name}.json`), 'utf8')) as Fixtures;
}

/** Sends so many packets as somebody who has a key and a session of their own. */
export async function fuzz(rig: NodeRig, { packets, seed }: { packets: number; seed: number }): Promise<FuzzReport> {
  const report: FuzzReport = { packets: 0, connections: 0, answers: {}, ended: 0, unanswered: [], leaks: [] };
  const random = new Random(seed);
  const { key } = await rig.addUser();
  rig.model.otherwise(() => says('ok'));
  while (report.packets < packets) {
    report.connections += 1;
    const session = await newSession(rig, key);
    const namespace = random.chance(0.7) ? '/agent' : '/gateway';
    const socket = await RawSocket.open({ url: rig.url, namespace, key });
    const asked = new Map<number, string>();
    for (let index = 0; index < PACKETS_PER_CONNECTION && report.packets < packets && socket.isOpen; index += 1) {
      report.packets += 1;
      const frame = nextFrame(random, { namespace, id: index, sessionId: session.id });
      if (frame.isRequest) asked.set(index, frame.text);
      socket.send(frame.text);
      // Now and then the server has its turn, so that packets meet every state of their connection.
      if (index % 60 === 59) await new Promise((resolve) => setImmediate(resolve));
    }
    await settle(socket, asked, report);
    // Most of what is no packet ends its connection: it comes last.
    for (let left = 3; left > 0 && socket.isOpen; left -= 1) socket.send(garbage(random));
    socket.close();
  }
  return report;
}

/** Some requests end their session: each connection has one of its own. */
async function newSession(rig: NodeRig, key: string): Promise<Session> {
  const socket = await rig.connect({ key });
  const { session } = await socket.ask('session:create', {});
  socket.close();
  return session;
}

interface Frame {
  readonly text: string;
  /** It wants an answer, under a number of its own. */
  readonly isRequest: boolean;
}

function nextFrame(random: Random, { namespace, id, sessionId }: { namespace: '/agent' | '/gateway'; id: number; sessionId: string }): Frame {
  if (random.chance(0.001)) return { text: garbage(random), isRequest: false };
  const names = Object.keys(FIXTURES[namespace]);
  const name = random.pick(names);
  const good = random.pick(FIXTURES[namespace][name]?.payloads ?? [{}]);
  const named = random.chance(0.6) ? { ...(good as object), ...('sessionId' in (good as object) ? { sessionId } : {}) } : good;
  const payload = random.chance(0.9) ? damaged(random, named) : named;
  const event = random.chance(0.02) ? random.pick(['__proto__', 'constructor', 'toString', 'error', '']) : name;
  return { text: `42${namespace},${id}${JSON.stringify(payload === undefined ? [event] : [event, payload])}`, isRequest: true };
}

async function settle(socket: RawSocket, asked: ReadonlyMap<number, string>, report: FuzzReport): Promise<void> {
  await socket.untilSettled([...asked.keys()], SILENCE_MS);
  for (const [id, text] of asked) {
    const answer = socket.answers.get(id);
    if (answer === undefined && socket.isOpen) report.unanswered.push(text.slice(0, 500));
    else if (answer === undefined) report.ended += 1;
    else {
      const said = answer.ok === true ? 'ok' : (answer.error?.code ?? 'no code');
      report.answers[said] = (report.answers[said] ?? 0) + 1;
      if (answer.ok !== true && INSIDE.test(JSON.stringify(answer))) report.leaks.push(JSON.stringify(answer).slice(0, 500));
    }
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { packets: { type: 'string', default: '100000' }, seed: { type: 'string', default: String(Math.floor(Date.now() / 1_000) % 1_000_000) } },
  });
  const line = (text: string): void => void process.stdout.write(`${text}\n`);
  await using rig = await nodeRig({ hasGateway: false });
  const begun = performance.now();
  const report = await fuzz(rig, { packets: Number(values.packets), seed: Number(values.seed) });
  line(`seed ${values.seed}: ${report.packets} packets over ${report.connections} connections in ${((performance.now() - begun) / 1_000).toFixed(0)} s`);
  line(`answers ${JSON.stringify(report.answers)}, ended with their connection ${report.ended}`);
  for (const text of report.unanswered) line(`UNANSWERED ${text}`);
  for (const text of report.leaks) line(`LEAK ${text}`);
  process.exitCode = report.unanswered.length + report.leaks.length > 0 ? 1 : 0;
}

if (import.meta.main) await main();
