import type { Log } from '@tendon/protocol';
import { type AgentRequest, type AgentRequestName, type Call, RELAY_CUT_OFF, type Result, refusal } from '@tendon/protocol';
import type { Socket } from 'socket.io';
import type { LocalApprovals } from '../policy/local-approvals.ts';
import { passAnswer, passNotice, passRequest } from './packets.ts';
import { openUpstream, type Upstream, type UpstreamOptions, type UpstreamRefusal } from './upstream.ts';

export interface PageConnectionOptions {
  readonly upstream: UpstreamOptions;
  readonly approvals: LocalApprovals;
  /** Whether what a person approves here counts as approved on this machine. */
  readonly isOwnPage: boolean;
  readonly log: Log;
}

type Acknowledge = (answer: Result<unknown>) => void;

/** What the server tells before the page is let in. A server that tells more is not waited for. */
const MOST_HELD = 200;
/** What may wait to be read by a page: one packet more is let in, and then the page is cut. */
const UNREAD_BYTES = 8 * 1024 * 1024;

const FORGED = 'What the server has shown of this call is not what would run, or not always the same. It was not approved. Deny it, and look at the server.';

/*
 *   page knocks ──► dialling ──server lets us in──► joined ──either side ends──► over (both ends are closed)
 *                      │ └── refused, unreachable ──► the page is refused with the server's own words
 *                      └── page gone ──► over
 *
 * A page's connection lives exactly as long as the one behind it. So a page is never told that it is online when it is not, what it has not
 * seen acknowledged stays in its own outbox, and there is nothing here that could be lost, doubled or left over.
 */
export class PageConnection {
  readonly #socket: Socket;
  readonly #options: PageConnectionOptions;
  readonly #upstream: Upstream;
  #phase: 'dialling' | 'joined' | 'over' = 'dialling';
  #held: (() => void)[] = [];

  /** Dials at once. `settled` is called once: without a refusal when the page may come in. */
  constructor(socket: Socket, options: PageConnectionOptions, settled: (refusal?: UpstreamRefusal) => void) {
    this.#socket = socket;
    this.#options = options;
    let isLetIn = false;
    this.#upstream = openUpstream(options.upstream, {
      connected: () => {
        isLetIn = true;
        settled();
      },
      ended: (refusal) => {
        if (isLetIn) {
          this.#options.log.info({ component: 'relay', reason: refusal.message }, 'the connection behind a page has ended');
          this.#socket.emit('server:notice', { code: RELAY_CUT_OFF, message: refusal.message });
          this.end();
        } else {
          this.#over();
          settled(refusal);
        }
      },
      notice: (name, payload) => this.#hold(() => this.#notice(name, payload)),
    });
    // A page that leaves while we still dial is known by its transport alone.
    socket.conn.once('close', () => this.end());
  }

  /** The page is in: what the server has told meanwhile comes first. */
  join(): void {
    if (this.#phase === 'over') this.#socket.disconnect(true);
    if (this.#phase !== 'dialling') return;
    this.#phase = 'joined';
    this.#boundUnread();
    this.#socket.onAny((...args: unknown[]) => this.#request(args));
    this.#socket.once('disconnect', () => this.end());
    for (const task of this.#held) task();
    this.#held = [];
  }

  /** Ends both sides, with the whole transport of the page: before it has joined, Socket.IO has nothing else to end. May be called twice. */
  end(): void {
    if (this.#phase === 'over') return;
    this.#over();
    this.#socket.disconnect(true);
    this.#socket.conn.close();
  }

  #over(): void {
    this.#phase = 'over';
    this.#held = [];
    this.#upstream.close();
  }

  #hold(task: () => void): void {
    if (this.#phase === 'joined') task();
    else if (this.#phase === 'dialling' && this.#held.length < MOST_HELD) this.#held.push(task);
    else if (this.#phase === 'dialling') this.end();
  }

  #request(args: readonly unknown[]): void {
    const last = args.at(-1);
    const acknowledge: Acknowledge = typeof last === 'function' ? (last as Acknowledge) : () => undefined;
    const [name, payload] = typeof last === 'function' ? args.slice(0, -1) : args;
    const passed = passRequest(String(name), payload);
    if (!passed.ok) {
      this.#options.log.info({ component: 'relay', name: String(name).slice(0, 100), error: passed.error.message }, 'a request of a page does not pass');
      acknowledge(passed);
      return;
    }
    if (passed.value === 'tool:decide') this.#decide(payload as AgentRequest<'tool:decide'>, acknowledge);
    else {
      if (passed.value === 'agent:stop') this.#options.approvals.withdrawAll((payload as AgentRequest<'agent:stop'>).sessionId);
      this.#ask(passed.value, payload, acknowledge);
    }
  }

  /** An approval that is given here counts as one of this machine, until it is taken back or the server says that it was none. */
  #decide(request: AgentRequest<'tool:decide'>, acknowledge: Acknowledge): void {
    const { approvals, isOwnPage } = this.#options;
    if (request.decision === 'deny') approvals.withdraw(request.callId);
    else if (approvals.isForged(request.callId)) {
      acknowledge(refusal('conflict', FORGED));
      return;
    }
    const isNew = request.decision === 'approve' && isOwnPage && approvals.approve(request);
    this.#ask('tool:decide', request, (answer, isFromServer) => {
      // Without an answer the server may have taken it, and will dispatch what the person did approve.
      if (isNew && isFromServer && !answer.ok) approvals.withdraw(request.callId);
      acknowledge(answer);
    });
  }

  #ask(name: AgentRequestName, payload: unknown, answered: (answer: Result<unknown>, isFromServer: boolean) => void): void {
    this.#upstream.ask(name, payload, (answer) => answered(this.#read(name, answer), answer !== undefined));
  }

  #read(name: AgentRequestName, answer: unknown): Result<unknown> {
    if (answer === undefined) return refusal('unavailable', 'The server did not answer the relay in time. Whether it has acted is not known.');
    const passed = passAnswer(name, answer);
    if (!passed.ok) {
      this.#options.log.warn({ component: 'relay', name, error: passed.error.message }, 'an answer of the server does not pass');
      return refusal('internal', `The server's answer has a wrong shape (${passed.error.message}) and was not passed on.`);
    }
    this.#show(passed.value.calls);
    return passed.value.answer;
  }

  #notice(name: string, payload: unknown): void {
    const passed = passNotice(name, payload);
    if (!passed.ok) {
      this.#options.log.warn({ component: 'relay', name: name.slice(0, 100), error: passed.error.message }, 'a notice of the server does not pass');
      this.#socket.emit('server:notice', { code: 'not_passed_on', message: `The server sent something that could not be passed on: ${passed.error.message}.` });
      return;
    }
    this.#show(passed.value.calls);
    this.#socket.emit(passed.value.name, payload);
  }

  #show(calls: readonly Call[]): void {
    for (const call of calls) {
      if (this.#options.approvals.show(call)) continue;
      this.#options.log.warn({ component: 'relay', callId: call.id }, 'the server shows a call as something that it is not');
    }
  }

  /** Cut when it does not read: nobody else has to wait for it, and its session is not lost. */
  #boundUnread(): void {
    const { conn } = this.#socket;
    let waiting = 0;
    conn.on('packetCreate', ({ data }: { data?: unknown }) => {
      waiting += typeof data === 'string' ? data.length : 0;
      if (waiting <= UNREAD_BYTES || this.#phase === 'over') return;
      this.#options.log.warn({ component: 'relay', bytes: waiting }, 'a page that does not read was cut');
      waiting = 0;
      // Not from inside of a send, and without a goodbye: it would wait behind what is not read.
      queueMicrotask(() => {
        (conn.transport as unknown as { socket?: { terminate(): void } }).socket?.terminate();
        this.end();
      });
    });
    conn.on('drain', () => {
      waiting = 0;
    });
  }
}
