import { type Handshake, type HandshakeRefusal, handshakeSchema, PROTOCOL_VERSION, validate } from '@tendon/protocol';

export type HandshakeReading = { readonly ok: true; readonly handshake: Handshake } | { readonly ok: false; readonly refusal: HandshakeRefusal };

/** Reads the `auth` of a connecting socket. A wrong version is told apart from a wrong shape, so that the older side knows to update. */
export function readHandshake(auth: unknown): HandshakeReading {
  const version = typeof auth === 'object' && auth !== null && 'protocol' in auth ? auth.protocol : undefined;
  if (typeof version === 'number' && version !== PROTOCOL_VERSION) {
    return refused('unsupported_protocol', `This server speaks protocol ${PROTOCOL_VERSION}, the client ${version}. Update the older one.`);
  }
  const checked = validate(handshakeSchema, auth);
  if (checked.ok) return { ok: true, handshake: checked.data };
  const isAboutToken = Array.isArray(checked.error.details) && checked.error.details.every((fault) => fault.path === 'token');
  return refused(isAboutToken ? 'unauthorized' : 'unsupported_protocol', `auth.${checked.error.message}`);
}

function refused(code: HandshakeRefusal['code'], message: string): HandshakeReading {
  return { ok: false, refusal: { code, message } };
}

/** Carries a refusal through Socket.IO, which sends `data` with the `connect_error`. */
export class HandshakeError extends Error {
  readonly data: HandshakeRefusal;

  constructor(refusal: HandshakeRefusal) {
    super(refusal.message);
    this.data = refusal;
  }
}
