import type { IncomingHttpHeaders } from 'node:http';
import { type HandshakeCode, SCOPES, type Scope } from '@tendon/protocol';

/** Which credential decided, in the order in which they are tried. */
export type CredentialPath = 'disabled' | 'token' | 'jwt' | 'cookie';

/** Who is at the other end, for as long as the credential holds. */
export interface Principal {
  readonly userId: string;
  readonly path: CredentialPath;
  /** Id of the key or browser session, never the credential. The same for all connections of one credential, so revoking finds them. */
  readonly credentialId: string;
  readonly kind: 'user' | 'gateway';
  /** Only for a gateway's key: the one machine that it is for. */
  readonly gatewayId?: string | undefined;
  /** What a key is good for; undefined: all that its person can do. */
  readonly scopes?: readonly Scope[] | undefined;
  /** When the credential ends by itself; connections must end with it. */
  readonly expiresAt?: Date | undefined;
}

/** What counts of a credential for what it may make. */
export type Authority = Pick<Principal, 'path' | 'scopes' | 'expiresAt'>;

/**
 * Stands for its person whole: all that they can do, and no end of its own. What can be given neither scopes nor an end (an account, a role, a link,
 * a machine) is made with such a credential alone (A11). A browser session is its person, however long it lasts.
 */
export function isWhole({ path, scopes, expiresAt }: Authority): boolean {
  if (path === 'cookie' || path === 'disabled') return true;
  return expiresAt === undefined && (scopes === undefined || SCOPES.every((scope) => scopes.includes(scope)));
}

/** When a key that it makes ends: as was asked for, and with its maker at the latest (A11). */
export function endOfKey({ path, expiresAt }: Authority, wanted: Date | undefined): Date | undefined {
  if (path === 'cookie' || expiresAt === undefined) return wanted;
  return wanted === undefined || wanted > expiresAt ? expiresAt : wanted;
}

/** One attempt to come in, whatever carried it. */
export interface Attempt {
  readonly token?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly address: string;
  readonly namespace: '/agent' | '/gateway' | 'http';
  readonly client?: { readonly name: string; readonly version: string } | undefined;
}

export type Decision =
  | { readonly ok: true; readonly principal: Principal }
  | {
      readonly ok: false;
      readonly code: HandshakeCode /** For the log, not for the caller. */;
      readonly reason: string;
      readonly retryAfterMs?: number | undefined;
    };

export function refuse(code: HandshakeCode, reason: string, retryAfterMs?: number): Decision {
  return { ok: false, code, reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}
