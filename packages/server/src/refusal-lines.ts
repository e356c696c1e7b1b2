import type { Log } from '@tendon/protocol';
import { householdOf } from './auth/attempt-limiter.ts';
import { BoundedLines, type BoundedLinesOptions } from './bounded-lines.ts';
import type { RefusalPlace } from './refusals.ts';

/** Who asked, as far as that is known. */
export interface Asker {
  readonly userId?: string | undefined;
  readonly credentialId?: string | undefined;
  readonly gatewayId?: string | undefined;
}

export interface RefusedRequest {
  readonly where: RefusalPlace;
  readonly code: string;
  readonly asker: Asker | undefined;
  readonly address: string;
  /** Names of ours: what somebody made up stays out of the log. */
  readonly what: { readonly name: string } | { readonly method: string; readonly route: string };
}

export interface RefusedAtDoor {
  readonly code: string;
  /** Of HTTP. */
  readonly status: number;
  readonly address: string;
  readonly message: string;
}

/** What was asked against a schema, a scope, a role, an owner, the order of things or a pace. Faults of ours and credentials have lines of their own (T11, H13). */
const TOLD: ReadonlySet<string> = new Set(['invalid_payload', 'too_large', 'forbidden', 'not_found', 'conflict', 'rate_limited']);

/** Of refusals of one kind: one line for each person (or address, of who is unknown), place and code at once, and one with how many more there were while they go on. */
export class RefusalLines {
  readonly #lines: BoundedLines;

  constructor(log: Log, later?: BoundedLinesOptions['later']) {
    this.#lines = new BoundedLines({ log, level: 'info', later });
  }

  tell({ where, code, asker, address, what }: RefusedRequest): void {
    if (!TOLD.has(code)) return;
    // An address with nothing behind it is no attempt at anybody's things.
    if (code === 'not_found' && asker === undefined) return;
    const fields = { event: 'request_refused', namespace: where, code, ...what, ...known(asker), address };
    this.#lines.add({ key: `${where} ${code} ${asker?.userId ?? householdOf(address)}`, fields, message: `a request was refused: ${code}` });
  }

  /** Whoever comes by a name or from a page that is none of ours, or while nobody is let in. Nothing has been read but the head of the request. */
  tellDoor({ code, status, address, message }: RefusedAtDoor): void {
    this.#lines.add({ key: `door ${status} ${code} ${householdOf(address)}`, fields: { event: 'door_refused', code, status, address }, message });
  }

  close(): void {
    this.#lines.close();
  }
}

function known({ userId, credentialId, gatewayId }: Asker = {}): Asker {
  return { userId, ...(credentialId === undefined ? {} : { credentialId }), ...(gatewayId === undefined ? {} : { gatewayId }) };
}
