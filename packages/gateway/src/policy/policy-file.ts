import { readFile, stat } from 'node:fs/promises';
import type { Log } from '@tendon/protocol';
import { GatewayStartError } from '../start-error.ts';
import { errorCode } from '../tools/faults.ts';
import { OPEN_POLICY, type Policy, policySchema } from './policy.ts';

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
    return new PolicyFile(path, log, loaded);
  }

  /** The policy as the file says now, or why it cannot be known. */
  async current(): Promise<{ ok: true; policy: Policy } | { ok: false; message: string }> {
    const stamp = await stampOf(this.path);
    if (stamp !== this.#loaded.stamp) {
      this.#loaded = await load(this.path, stamp);
      if ('fault' in this.#loaded)
        this.#log.error({ path: this.path, reason: this.#loaded.fault }, 'the policy file is broken: every call is refused until it is mended');
      else this.#log.info({ path: this.path, count: this.#loaded.policy.rules.length }, 'the policy file was read again');
    }
    if ('fault' in this.#loaded) return { ok: false, message: "This machine's policy file is broken, so it refuses every call. Its owner must mend the file." };
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

async function load(path: string, stamp: string): Promise<Loaded> {
  if (stamp === 'ENOENT') return { stamp, policy: OPEN_POLICY };
  try {
    const parsed = policySchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    if (parsed.success) return { stamp, policy: parsed.data };
    const issue = parsed.error.issues[0];
    return { stamp, fault: `is wrong at ${issue?.path.join('.') || 'its top'}: ${issue?.message ?? 'not a policy'}` };
  } catch (error) {
    return { stamp, fault: error instanceof SyntaxError ? 'is not JSON' : `cannot be read (${errorCode(error) ?? 'unknown error'})` };
  }
}
