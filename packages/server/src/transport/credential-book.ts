import type { Socket } from 'socket.io';

/** A handshake, or a request, on its way. Revocations that happen meanwhile are noted here, so that none slips through the gap. */
export interface Opening {
  readonly revoked: Set<string>;
}

/** Which sockets stand on which credential. */
export class CredentialBook {
  readonly #openings = new Set<Opening>();
  readonly #sockets = new Map<string, Set<Socket>>();

  open(): Opening {
    const opening: Opening = { revoked: new Set() };
    this.#openings.add(opening);
    return opening;
  }

  settle(opening: Opening): void {
    this.#openings.delete(opening);
  }

  add(credentialId: string, socket: Socket): void {
    const sockets = this.#sockets.get(credentialId) ?? new Set();
    this.#sockets.set(credentialId, sockets.add(socket));
  }

  remove(credentialId: string, socket: Socket): void {
    const sockets = this.#sockets.get(credentialId);
    sockets?.delete(socket);
    if (sockets?.size === 0) this.#sockets.delete(credentialId);
  }

  /** The credentials that sockets stand on now. */
  get inUse(): string[] {
    return [...this.#sockets.keys()];
  }

  /** The sockets of a credential that has just been revoked, to be ended by the caller. */
  revoke(credentialId: string): Socket[] {
    for (const opening of this.#openings) opening.revoked.add(credentialId);
    return [...(this.#sockets.get(credentialId) ?? [])];
  }
}
