import { join } from 'node:path';
import type { AgentClient, SessionClient, SessionView } from '@tendon/client';
import type { Call, Result } from '@tendon/protocol';
import { ledgerLines, processesWith } from '@tendon/testing';
import type { Random } from '../simulation/random.ts';

/** A command that leaves a line each time it begins; a long one notes its process as well, and is meant to be stopped. */
export interface Errand {
  readonly sessionId: string;
  readonly messageId: string;
  readonly command: string | undefined;
  readonly isLong: boolean;
  /** How often its command began. */
  begun(): number;
  /** Whether a process of it still runs. */
  runs(): boolean;
}

/** How every request ended, for someone who only sees answers. */
export interface Recording {
  ok: number;
  refused: number;
  unknown: number;
  open: number;
}

/** Somebody at a page, who asks, decides, stops and interrupts at random, with the real client. */
export class Person {
  readonly client: AgentClient;
  readonly sessions: readonly SessionClient[];
  readonly #random: Random;
  readonly #workspace: string;
  readonly errands: Errand[] = [];
  readonly recording: Recording = { ok: 0, refused: 0, unknown: 0, open: 0 };

  constructor(client: AgentClient, options: { sessionIds: readonly string[]; random: Random; workspace: string }) {
    this.client = client;
    this.sessions = options.sessionIds.map((id) => client.open(id));
    this.#random = options.random;
    this.#workspace = options.workspace;
  }

  /** One act of a restless person. */
  act(): void {
    const random = this.#random;
    const session = random.pick(this.sessions);
    const waiting = this.#waiting(session);
    const kind = random.next();
    if (waiting.length > 0 && random.chance(0.7)) this.#decide(session, random.pick(waiting));
    else if (kind < 0.12) void this.#note(session.stop());
    else if (kind < 0.2) void this.#note(session.continue());
    else this.#ask(session, random.chance(0.15) ? 'interrupt' : 'queue');
  }

  /** What is needed for everything to come to rest: decisions, and a stop for what was meant to be stopped. */
  settle(): void {
    for (const session of this.sessions) {
      for (const call of this.#waiting(session)) this.#decide(session, call);
      const isLong = Object.values(session.view.get().calls).some((call) => call.state === 'running' && commandOf(call).includes('sleep 20'));
      if (isLong) void this.#note(session.stop());
    }
  }

  /** Idle and in step with the server, with nothing left to send, and the machine is back. */
  get isAtRest(): boolean {
    const machines = this.client.gateways.get();
    const isConnected = this.client.connection.get().kind === 'online' && machines.length > 0 && machines.every(({ online }) => online);
    return isConnected && this.sessions.every((session) => isAtRest(session.view.get()));
  }

  #waiting(session: SessionClient): Call[] {
    return Object.values(session.view.get().calls).filter((call) => call.state === 'awaiting_approval');
  }

  #decide(session: SessionClient, call: Call): void {
    void this.#note(session.decide(call, { decision: this.#random.chance(0.75) ? 'approve' : 'deny' }));
  }

  #ask(session: SessionClient, mode: 'queue' | 'interrupt'): void {
    const kind = this.#random.next();
    const name = `errand-${Math.floor(this.#random.next() * 1e12)}`;
    const isLong = kind >= 0.5 && kind < 0.65;
    const command = kind < 0.5 ? `echo begun >> ${name}; sleep 0.1` : isLong ? `echo begun >> ${name}; sleep 20; echo ended >> ${name}.end` : undefined;
    const messageId = session.send(command === undefined ? `tell ${name}` : `run ${command}`, { mode });
    this.errands.push({
      ...{ sessionId: session.id, messageId, command, isLong },
      begun: () => ledgerLines(join(this.#workspace, name)),
      runs: () => isLong && processesWith(`${name}.end`).length > 0,
    });
  }

  async #note<Data>(request: Promise<Result<Data>>): Promise<Result<Data>> {
    this.recording.open += 1;
    const result = await request;
    this.recording.open -= 1;
    if (result.ok) this.recording.ok += 1;
    else this.recording[result.error.code === 'unavailable' ? 'unknown' : 'refused'] += 1;
    return result;
  }
}

export function commandOf(call: Call): string {
  return String((call.input as { command?: unknown }).command ?? '');
}

function isAtRest({ phase, error, session, outbox, live }: SessionView): boolean {
  return phase === 'ready' && error === undefined && session?.status === 'idle' && live === undefined && outbox.every(({ state }) => state === 'refused');
}
