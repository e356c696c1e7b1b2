import type { Call } from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';

/** So many of each are remembered; the oldest are forgotten first, and then count as never shown, or never approved. */
const MOST = 5_000;

/**
 * What was shown and approved on this machine itself, as its relay saw it pass. A server can neither invent an approval that was given here,
 * nor show one thing and have another approved: the hash of what was shown is made again here.
 *
 *   shown, its hash is right ──approved with this hash──► approved
 *   shown, its hash is wrong ──────────► never
 */
export class LocalApprovals {
  readonly #gatewayId: string;
  /** Hashes by call. */
  readonly #shown = new Map<string, string>();
  readonly #approved = new Map<string, string>();
  readonly #forged = new Map<string, string>();

  constructor(gatewayId: string) {
    this.#gatewayId = gatewayId;
  }

  /** A call is on its way to a page on this machine. False when the server says of it what its own hash denies. */
  show(call: Call): boolean {
    if (call.kind !== 'local' || call.gatewayId !== this.#gatewayId) return true;
    const { tool, input, workspace } = call;
    if (hashOf({ tool, input, workspace, gatewayId: this.#gatewayId }) !== call.inputHash) {
      this.#shown.delete(call.id);
      remember(this.#forged, call.id, call.inputHash);
      return false;
    }
    this.#forged.delete(call.id);
    remember(this.#shown, call.id, call.inputHash);
    return true;
  }

  /** Whether the last that was shown of this call was not what its hash says. */
  isForged(callId: string): boolean {
    return this.#forged.has(callId);
  }

  /** A person at a page on this machine approves. */
  approve(callId: string, hash: string): void {
    if (this.#shown.get(callId) === hash) remember(this.#approved, callId, hash);
  }

  /** Whether exactly this was approved here. */
  has(callId: string, hash: string): boolean {
    return this.#approved.get(callId) === hash;
  }
}

/** Undefined for what has no canonical form: no hash can agree with that. */
function hashOf(parts: Parameters<typeof inputHash>[0]): string | undefined {
  try {
    return inputHash(parts);
  } catch {
    return undefined;
  }
}

function remember(map: Map<string, string>, key: string, value: string): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > MOST && !oldest.done) map.delete(oldest.value);
}
