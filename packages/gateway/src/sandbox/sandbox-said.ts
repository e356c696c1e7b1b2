import type { GatewayRequest } from '@tendon/protocol';
import type { PolicyFile } from '../policy/policy-file.ts';
import type { SandboxState } from './bubblewrap.ts';
import { sandboxState } from './sandbox.ts';

/** What a machine tells of its sandbox when it greets. */
export type SandboxSaid = NonNullable<GatewayRequest<'gateway:hello'>['sandbox']>;

/** As the policy file and the machine are now. */
export async function sandboxOf(policy: Pick<PolicyFile, 'current'>, probe: () => Promise<SandboxState> = sandboxState): Promise<SandboxSaid> {
  const current = await policy.current();
  const mode = current.ok ? (current.policy.sandbox?.mode ?? 'auto') : 'auto';
  if (mode === 'off') return { kind: 'none', reason: 'its policy file switches it off' };
  const state = await probe();
  return state.kind === 'none' && mode === 'required' ? { ...state, isRequired: true } : state;
}
