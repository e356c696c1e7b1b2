import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import {
  AGENT_NAMESPACE,
  type AgentData,
  type Call,
  type Delta,
  PROTOCOL_VERSION,
  type Result,
  type Session,
  type SessionEvent,
  SOCKET_PATH,
} from '@tendon/protocol';
import { epochMs } from '@tendon/testing';
import { io, type Socket } from 'socket.io-client';
import type { StreamReader } from './stream-reader.ts';
import type { Conversation, Target } from './target.ts';

export interface TendonTargetOptions {
  readonly url: string;
  readonly key: string;
  readonly stack: AsyncDisposableStack;
}

/** One plain Socket.IO client per conversation, each attached to a session of its own. */
export function tendonTarget(options: TendonTargetOptions): Target {
  return { name: 'tendon', open: (count) => Promise.all(Array.from({ length: count }, () => TendonConversation.open(options))) };
}

export class TendonConversation implements Conversation {
  readonly sessionId: string;
  readonly #socket: Socket;
  #reader: StreamReader | undefined;
  #status: Session['status'] = 'idle';
  #whenIdle: (() => void) | undefined;
  #toolMs = 0;
  #seq = 0;
  /** From each approval's commit to the start that its machine told, in whole milliseconds. */
  readonly owedToStartedMs: number[] = [];

  static async open({ url, key, stack }: TendonTargetOptions): Promise<TendonConversation> {
    const auth = { protocol: PROTOCOL_VERSION, token: key, client: { name: 'bench', version: '1' } };
    const socket = io(new URL(AGENT_NAMESPACE, url).href, { path: SOCKET_PATH, auth, transports: ['websocket'], forceNew: true, reconnection: false });
    stack.defer(() => void socket.disconnect());
    await once(socket as never, 'connect');
    const { session } = await ask<{ session: Session }>(socket, 'session:create', {});
    await ask(socket, 'session:attach', { sessionId: session.id });
    return new TendonConversation(socket, session.id);
  }

  private constructor(socket: Socket, sessionId: string) {
    this.#socket = socket;
    this.sessionId = sessionId;
    socket.on('session:delta', (delta: Delta) => {
      if (delta.kind === 'text') this.#reader?.add(delta.text);
    });
    socket.on('session:event', (event: SessionEvent) => this.#hear(event));
  }

  async prompt(text: string, reader?: StreamReader): Promise<{ sentAt: number; acknowledgedAt: number }> {
    this.#reader = reader;
    this.#status = 'running';
    const sentAt = epochMs();
    await ask(this.#socket, 'agent:execute', { sessionId: this.sessionId, messageId: randomUUID(), text });
    return { sentAt, acknowledgedAt: epochMs() };
  }

  settled(): Promise<void> {
    if (this.#status === 'idle') return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  async toolRoundTrip(): Promise<number> {
    this.#toolMs = 0;
    const { sentAt } = await this.prompt('tool');
    await this.settled();
    return epochMs() - sentAt - this.#toolMs;
  }

  /** Milliseconds of one `session:attach`, first page included. */
  async attach(): Promise<number> {
    const sentAt = epochMs();
    await ask(this.#socket, 'session:attach', { sessionId: this.sessionId });
    return epochMs() - sentAt;
  }

  async stop(): Promise<void> {
    await ask(this.#socket, 'agent:stop', { sessionId: this.sessionId });
  }

  /** Attaches with a cursor that lies `missed` events back. Answers with how many events came. */
  async catchUp(missed: number): Promise<number> {
    const { events } = await ask<AgentData<'session:attach'>>(this.#socket, 'session:attach', { sessionId: this.sessionId, afterSeq: this.#seq - missed });
    return events?.length ?? 0;
  }

  #hear(event: SessionEvent): void {
    this.#seq = event.seq;
    if (event.type === 'call.requested') this.#approve(event.data.call);
    if (event.type === 'call.updated') this.#updated(event.data.call);
    if (event.type !== 'session.updated') return;
    this.#status = event.data.session.status;
    if (this.#status === 'idle') this.#whenIdle?.();
  }

  #updated(call: Call): void {
    this.#toolMs = call.result?.meta?.durationMs ?? this.#toolMs;
    if (call.state === 'succeeded' && call.startedAt && call.decision) this.owedToStartedMs.push(Date.parse(call.startedAt) - Date.parse(call.decision.at));
  }

  #approve(call: Call): void {
    if (call.state === 'awaiting_approval')
      void ask(this.#socket, 'tool:decide', { sessionId: this.sessionId, callId: call.id, inputHash: call.inputHash, decision: 'approve' });
  }
}

/** Heeds the pace of a connection, as every client does: turns that follow at once are quicker than the 50 requests a second of T10. */
async function ask<Data>(socket: Socket, name: string, payload: object): Promise<Data> {
  const answer = (await socket.emitWithAck(name, payload)) as Result<Data>;
  if (answer.ok) return answer.data;
  const { code, message, details } = answer.error;
  if (code !== 'rate_limited') throw new Error(`${name}: ${code}: ${message}`);
  await pause((details as { readonly retryAfterMs: number }).retryAfterMs);
  return ask(socket, name, payload);
}
