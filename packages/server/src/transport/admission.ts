import type { HandshakeRefusal, Log } from '@tendon/protocol';
import type { Namespace, Socket } from 'socket.io';
import { atExpiry } from './at-expiry.ts';
import type { CredentialBook, Opening } from './credential-book.ts';
import type { EngineConnections } from './engine-connections.ts';
import { HandshakeError, readHandshake } from './handshake.ts';
import type { NamespaceName, Principal, TransportOptions } from './options.ts';

/** Who sits behind a socket that was let in. */
export interface Guest {
  readonly principal: Principal;
  readonly client: { readonly name: string; readonly version: string };
}

export interface AdmissionDesk {
  readonly options: Pick<TransportOptions, 'authenticate' | 'isDraining' | 'refusals'>;
  readonly isServing: () => boolean;
  readonly credentials: CredentialBook;
  readonly connections: EngineConnections;
  readonly log: Log;
}

/** Where a socket of a namespace goes once it is in. */
export type Welcome = (socket: Socket, guest: Guest) => void;

interface Admitted extends Guest {
  readonly opening: Opening;
}

const AWAY: HandshakeRefusal = { code: 'shutting_down', message: 'The server is not taking connections now. Try again in a moment.', retryAfterMs: 1_000 };
const UNCHECKED: HandshakeRefusal = {
  code: 'shutting_down',
  message: 'The server cannot check credentials right now. Try again in a moment.',
  retryAfterMs: 2_000,
};
const TOO_MANY: HandshakeRefusal = { code: 'rate_limited', message: 'Too many handshakes on one connection.', retryAfterMs: 1_000 };
const REVOKED: HandshakeRefusal = { code: 'unauthorized', message: 'This credential has been revoked. Sign in again.' };

/** Puts the handshake before a namespace: refusals leave as `connect_error`, guests go to `welcome`. */
export function guardNamespace(namespace: Namespace, name: NamespaceName, { desk, welcome }: { desk: AdmissionDesk; welcome: Welcome }): void {
  const admitted = new WeakMap<Socket, Admitted>();
  const refuse = (refusal: HandshakeRefusal): HandshakeError => {
    desk.options.refusals.count(`/${name}`, refusal.code);
    return new HandshakeError(refusal);
  };
  namespace.use((socket, next) => {
    if (!desk.connections.admitAttempt(socket)) {
      next(refuse(TOO_MANY));
      return;
    }
    const opening = desk.credentials.open();
    socket.conn.once('close', () => desk.credentials.settle(opening));
    void admit({ desk, socket, name, opening }).then((outcome) => {
      if ('code' in outcome) {
        desk.credentials.settle(opening);
        desk.log.info({ event: 'handshake_refused', namespace: name, code: outcome.code, address: desk.connections.addressOf(socket) }, outcome.message);
        next(refuse(outcome));
        return;
      }
      const crowded = desk.connections.seat(socket, outcome.principal.userId);
      if (crowded) {
        desk.credentials.settle(opening);
        next(refuse(crowded));
        return;
      }
      admitted.set(socket, { ...outcome, opening });
      next();
    });
  });
  namespace.on('connection', (socket) => {
    const guest = admitted.get(socket);
    if (guest) enter({ desk, socket, guest, welcome });
  });
}

interface Entrance {
  readonly desk: AdmissionDesk;
  readonly socket: Socket;
  readonly name: NamespaceName;
  readonly opening: Opening;
}

/** Never rejects: whatever goes wrong in here is a refusal. */
async function admit(entrance: Entrance): Promise<Guest | HandshakeRefusal> {
  try {
    return await check(entrance);
  } catch (error) {
    entrance.desk.log.error({ event: 'handshake_failed', namespace: entrance.name, err: error }, 'a credential could not be checked');
    return UNCHECKED;
  }
}

async function check({ desk, socket, name, opening }: Entrance): Promise<Guest | HandshakeRefusal> {
  if (!desk.isServing() || desk.options.isDraining()) return AWAY;
  const reading = readHandshake(socket.handshake.auth);
  if (!reading.ok) return reading.refusal;
  const { token, client } = reading.handshake;
  const { cookie, origin, host } = socket.handshake.headers;
  const attempt = {
    namespace: name,
    token,
    cookieHeader: cookie,
    origin,
    host,
    fetchSite: socket.handshake.headers['sec-fetch-site'] as string | undefined,
    address: desk.connections.addressOf(socket),
    client,
  };
  const result = await desk.options.authenticate(attempt);
  if (!result.ok) return result.refusal;
  if (!desk.isServing() || desk.options.isDraining()) return AWAY;
  return isRevoked(opening, result.principal) ? REVOKED : { principal: result.principal, client };
}

function enter({ desk, socket, guest, welcome }: { desk: AdmissionDesk; socket: Socket; guest: Admitted; welcome: Welcome }): void {
  const { principal, client, opening } = guest;
  const { credentialId } = principal;
  const who = { namespace: socket.nsp.name, userId: principal.userId, client: client.name };
  desk.credentials.settle(opening);
  if (isRevoked(opening, principal) || !desk.isServing() || !desk.connections.join(socket, who)) {
    socket.disconnect(true);
    return;
  }
  if (credentialId !== undefined) desk.credentials.add(credentialId, socket);
  desk.log.info({ event: 'connected', ...who, version: client.version, address: desk.connections.addressOf(socket) }, 'connected');
  endWithCredential(socket, principal.expiresAt);
  socket.on('disconnect', (reason) => {
    if (credentialId !== undefined) desk.credentials.remove(credentialId, socket);
    desk.log.info({ event: 'disconnected', ...who, reason }, 'disconnected');
    desk.connections.leave(socket);
  });
  welcome(socket, { principal, client });
}

/** A connection lives no longer than what it was let in with. A client with a newer credential connects again. */
function endWithCredential(socket: Socket, expiresAt: Date | undefined): void {
  if (expiresAt === undefined) return;
  const forget = atExpiry(expiresAt, () => socket.disconnect(true));
  socket.once('disconnect', forget);
}

function isRevoked(opening: Opening, principal: Principal): boolean {
  return principal.credentialId !== undefined && opening.revoked.has(principal.credentialId);
}

/** Whether it was revoked meanwhile, or has ended by itself. */
export function hasEnded(opening: Opening, principal: Principal): boolean {
  return isRevoked(opening, principal) || (principal.expiresAt !== undefined && principal.expiresAt.getTime() <= Date.now());
}
