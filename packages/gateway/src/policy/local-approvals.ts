import type { Call } from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';

type Look = typeof FORGED | typeof ELSEWHERE | `${string} ${string} ${string}`;

/** What the question on an approval is made of, besides what the hash covers. */
type ShownCall = Pick<Call, 'sessionId' | 'inputHash' | 'effect'>;

const FORGED = 'forged';
/** Not a call of this machine. */
const ELSEWHERE = 'elsewhere';
/** So many calls are remembered. After that no new one counts as shown: to forget would let a server show a call a second time, as something else. */
const MOST = 100_000;

/**
 * What was shown and approved on this machine itself, as its relay saw it pass. A server can neither invent an approval that was given here,
 * nor show one thing and have another approved: the hash of what was shown is made again here, and a call that was ever shown in two ways
 * counts no more, since nobody here knows which of them the page shows.
 *
 *   shown, its hash is right ──approved with this hash──► approved ──denied, stopped, or refused by the server──► shown
 *      └─────────────── shown again as something else ───────┴──► forged, for good
 *   shown, its hash is wrong ──► forged, for good
 */
export class LocalApprovals {
  readonly gatewayId: string;
  readonly #most: number;
  /** What every call was shown as, by call; `forged` when as two things, or as what its hash denies. */
  readonly #shown = new Map<string, Look>();
  /** As what each was approved, by call. */
  readonly #approved = new Map<string, Look>();

  constructor(gatewayId: string, most = MOST) {
    this.gatewayId = gatewayId;
    this.#most = most;
  }

  /** A call is on its way to a page on this machine. False when it is not what its hash says, or not what it was shown as before. */
  show(call: Call): boolean {
    const now = this.#look(call);
    const before = this.#shown.get(call.id);
    if (before === undefined && this.#shown.size >= this.#most) return now !== FORGED;
    const look = before === undefined || before === now ? now : FORGED;
    this.#shown.set(call.id, look);
    if (look === FORGED) this.#approved.delete(call.id);
    return look !== FORGED;
  }

  /** Whether this call was ever shown as something that it is not. */
  isForged(callId: string): boolean {
    return this.#shown.get(callId) === FORGED;
  }

  /** A person at a page on this machine approves what stands there. False when that counts for nothing new: not shown as this, or approved already. */
  approve({ callId, sessionId, inputHash }: { readonly callId: string; readonly sessionId: string; readonly inputHash: string }): boolean {
    const look = this.#shown.get(callId);
    if (look === undefined || !look.startsWith(`${sessionId} ${inputHash} `) || this.#approved.has(callId)) return false;
    this.#approved.set(callId, look);
    return true;
  }

  /** The person denies, or the server did not take the approval. */
  withdraw(callId: string): void {
    this.#approved.delete(callId);
  }

  /** The person stops the session: nothing of it that has not begun may begin by an approval from before. */
  withdrawAll(sessionId: string): void {
    for (const [callId, look] of this.#approved) if (look.startsWith(`${sessionId} `)) this.#approved.delete(callId);
  }

  /** Whether exactly this was approved here, as what this machine says that its tool does. */
  has({ callId, ...shown }: ShownCall & { readonly callId: string }): boolean {
    return this.#approved.get(callId) === lookOf(shown);
  }

  #look(call: Call): Look {
    const { kind, tool, input, workspace, gatewayId } = call;
    if (kind !== 'local' || gatewayId !== this.gatewayId) return ELSEWHERE;
    return hashOf({ tool, input, workspace, gatewayId }) === call.inputHash ? lookOf(call) : FORGED;
  }
}

function lookOf({ sessionId, inputHash, effect }: ShownCall): Look {
  return `${sessionId} ${inputHash} ${effect}`;
}

/** Undefined for what has no canonical form: no hash can agree with that. */
function hashOf(parts: Parameters<typeof inputHash>[0]): string | undefined {
  try {
    return inputHash(parts);
  } catch {
    return undefined;
  }
}
