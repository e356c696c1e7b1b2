import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { HandshakeCode, HandshakeRefusal, Log, Scope } from '@tendon/protocol';
import type { Refusals } from '../refusals.ts';
import type { TransportLimits } from './limits.ts';

export type NamespaceName = 'agent' | 'gateway';

/** The door's verdict over one HTTP request: Host and Origin, before anything else looks at it. */
export type DoorVerdict = { readonly ok: true } | { readonly ok: false; readonly status: number; readonly code: HandshakeCode; readonly message: string };

/** Too many wait. */
export interface CrowdRefusal {
  readonly status: number;
  readonly message: string;
  readonly retryAfterS: number;
}

export interface Entrance {
  /** Calls one of the two, now or later; neither when the connection ends first. */
  admit(request: IncomingMessage, visit: { letIn(): void; refuse(refusal: CrowdRefusal): void }): void;
}

/** What waits for a place among the requests that are under way. */
export interface UnderWay {
  /** Calls one of the two, now or later; neither when the connection ends first. */
  begin(request: IncomingMessage, response: ServerResponse, errand: { letIn(): unknown; refuse(refusal: CrowdRefusal): void }): Promise<void>;
}

/** What a socket offers to be let in. The credential is never logged. */
export interface SignInAttempt {
  readonly namespace: NamespaceName;
  readonly token?: string | undefined;
  readonly cookieHeader?: string | undefined;
  readonly origin?: string | undefined;
  /** `Sec-Fetch-Site`: same-origin polls of a browser carry it and no Origin. */
  readonly fetchSite?: string | undefined;
  readonly host?: string | undefined;
  readonly address: string;
  readonly client: { readonly name: string; readonly version: string };
}

export interface Principal {
  readonly userId: string;
  /** What `disconnectCredential` is called with when the credential is revoked. */
  readonly credentialId?: string | undefined;
  /** Set when the credential belongs to one machine. */
  readonly gatewayId?: string | undefined;
  /** What the credential is good for; undefined: all that its person can do. */
  readonly scopes?: readonly Scope[] | undefined;
  /** When the credential ends by itself: its connections end then too. */
  readonly expiresAt?: Date | undefined;
}

export type SignInResult = { readonly ok: true; readonly principal: Principal } | { readonly ok: false; readonly refusal: HandshakeRefusal };

export interface TransportOptions {
  readonly httpServer: HttpServer;
  checkDoor(request: IncomingMessage): DoorVerdict;
  /** Lets requests, polls and upgrades in when it is their turn; all at once when it is left out. */
  readonly entrance?: Entrance | undefined;
  /** Where what is posted by polling has a place before it is read. Polls themselves and WebSockets last, and need none. */
  readonly underWay?: UnderWay | undefined;
  /** Where a request really came from. */
  addressOf(request: IncomingMessage): string;
  authenticate(attempt: SignInAttempt): Promise<SignInResult>;
  isDraining(): boolean;
  readonly refusals: Refusals;
  readonly log: Log;
  readonly limits?: Partial<TransportLimits>;
  /** Monotonic milliseconds, for the meters. */
  readonly now?: () => number;
}
