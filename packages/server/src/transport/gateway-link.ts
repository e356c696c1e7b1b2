import { type BrowserWatch, GATEWAY_COMMANDS, type GatewayAnswer, type GatewayCommand, type GatewayCommandName, validate } from '@tendon/protocol';
import type { Socket } from 'socket.io';
import type { GatewayConnection } from '../runner/ports.ts';
import type { Guest } from './admission.ts';

/** Why a command got no answer. `disconnected`: the machine is gone. `timeout`: it is there and has not answered. */
export class GatewayCallError extends Error {
  readonly reason: 'disconnected' | 'timeout';

  constructor(reason: GatewayCallError['reason'], command: GatewayCommandName) {
    super(reason === 'timeout' ? `the gateway did not answer ${command} in time` : `the gateway disconnected before it answered ${command}`);
    this.reason = reason;
  }
}

interface Waiting {
  readonly fail: (reason: GatewayCallError['reason']) => void;
}

/*
 *            send                answer                       settled (answer, or timeout, or disconnected)
 *  command ────────► waiting ──────────────────────────────►
 *                       └── timer ── end of the socket ────►
 */
/** The server's side of one connected machine. Lives as long as its socket. */
export class GatewayLink implements GatewayConnection {
  readonly connectionId: string;
  readonly userId: string;
  readonly boundGatewayId: string | undefined;
  readonly #socket: Socket;
  readonly #waiting = new Set<Waiting>();

  constructor(socket: Socket, guest: Guest) {
    this.connectionId = socket.id;
    this.userId = guest.principal.userId;
    this.boundGatewayId = guest.principal.gatewayId;
    this.#socket = socket;
    socket.once('disconnect', () => {
      for (const waiting of [...this.#waiting]) waiting.fail('disconnected');
    });
  }

  /** An answer of a wrong shape counts as a refusal by the machine, with the code `malformed_answer`. */
  async call(command: GatewayCommand<'tool:call'>, timeoutMs: number): Promise<GatewayAnswer<'tool:call'>> {
    const answer = await this.#send('tool:call', command, timeoutMs);
    const checked = validate(GATEWAY_COMMANDS['tool:call'].data, answer);
    if (checked.ok) return checked.data;
    return { accepted: false, error: { code: 'malformed_answer', message: `the gateway's answer has a wrong shape: ${checked.error.message}` } };
  }

  async cancel(callId: string, timeoutMs: number): Promise<void> {
    await this.#send('tool:cancel', { callId }, timeoutMs);
  }

  async endSession(end: GatewayCommand<'session:end'>, timeoutMs: number): Promise<void> {
    await this.#send('session:end', end, timeoutMs);
  }

  async watchBrowser(watch: BrowserWatch, timeoutMs: number): Promise<void> {
    await this.#send('browser:watch', watch, timeoutMs);
  }

  disconnect(): void {
    this.#socket.disconnect(true);
  }

  #send<Name extends GatewayCommandName>(name: Name, command: GatewayCommand<Name>, timeoutMs: number): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const settle = (): boolean => {
      clearTimeout(timer);
      return this.#waiting.delete(waiting);
    };
    const waiting: Waiting = {
      fail: (reason) => {
        if (settle()) reject(new GatewayCallError(reason, name));
      },
    };
    const timer = setTimeout(() => waiting.fail('timeout'), timeoutMs);
    this.#waiting.add(waiting);
    if (!this.#socket.connected) waiting.fail('disconnected');
    else {
      this.#socket.emit(name, command, (answer: unknown) => {
        if (settle()) resolve(answer);
      });
    }
    return promise;
  }
}
