import { stat } from 'node:fs/promises';
import type { Log } from '@tendon/protocol';
import { GatewayStartError } from '../start-error.ts';
import { errorCode } from '../tools/faults.ts';
import { OPEN_POLICY, type Policy } from './policy.ts';
import { readPolicyFile, strangeTools } from './policy-text.ts';

/** So many rules that are about nothing are told at once. */
const MAX_TOLD = 20;

type Loaded = { readonly stamp: string; readonly policy: Policy } | { readonly stamp: string; readonly fault: string };

/**
 *   whole ──changed, and can be read──► whole
 *     └──changed, and cannot be read──► broken (every call is refused) ──mended──► whole
 *
 * Looked at before every call, so that a rule the person adds holds at once. At the start a broken file ends the gateway.
 */
export class PolicyFile {
  readonly path: string;
  readonly #log: Log;
  #loaded: Loaded;

  private constructor(path: string, log: Log, loaded: Loaded) {
    this.path = path;
    this.#log = log;
    this.#loaded = loaded;
  }

  /** Errors: `GatewayStartError` when the file is there and cannot be understood. */
  static async open(path: string, log: Log): Promise<PolicyFile> {
    const loaded = await load(path, await stampOf(path));
    if ('fault' in loaded)
      throw new GatewayStartError('policy_broken', `The policy file ${path} ${loaded.fault}. Mend it, or remove it to allow what the server's users approve.`);
    nameStrangers(path, loaded.policy, log);
    return new PolicyFile(path, log, loaded);
  }

  /** The policy as the file says now, or why it cannot be known. */
  async current(): Promise<{ ok: true; policy: Policy } | { ok: false; message: string }> {
    const stamp = await stampOf(this.path);
    if (stamp !== this.#loaded.stamp) {
      this.#loaded = await load(this.path, stamp);
      if ('fault' in this.#loaded)
        this.#log.error({ path: this.path, reason: this.#loaded.fault }, 'the policy file is broken: every call is refused until it is mended');
      else {
        this.#log.info({ path: this.path, count: this.#loaded.policy.rules.length }, 'the policy file was read again');
        nameStrangers(this.path, this.#loaded.policy, this.#log);
      }
    }
    if ('fault' in this.#loaded) return { ok: false, message: brokenWords(this.path, this.#loaded.fault) };
    return { ok: true, policy: this.#loaded.policy };
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const info = await stat(path);
    return `${info.ino}:${info.size}:${info.mtimeMs}`;
  } catch (error) {
    return errorCode(error) ?? 'unreadable';
  }
}

/** For whoever asked for a call: it is their machine, and nobody sees its log but at its terminal. */
function brokenWords(path: string, fault: string): string {
  return `This machine's policy file is broken, so it refuses every call: ${path} ${fault}. Its owner must mend the file; it is then read by itself.`;
}

/** A rule with a mistyped name forbids nothing, and nobody would know. */
function nameStrangers(path: string, policy: Policy, log: Log): void {
  const strangers = strangeTools(policy);
  for (const reason of strangers.slice(0, MAX_TOLD)) log.warn({ path, reason }, `a rule of the policy file is about nothing: ${reason}`);
}

async function load(path: string, stamp: string): Promise<Loaded> {
  if (stamp === 'ENOENT') return { stamp, policy: OPEN_POLICY };
  const read = await readPolicyFile(path);
  return read.ok ? { stamp, policy: read.policy } : { stamp, fault: read.fault };
}
