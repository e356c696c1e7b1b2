import type { Decision } from '@tendon/protocol';

const SCOPES = { once: '', session: ' for this session', always: ' always' };

/** "Approved always, from Chrome on Linux": who allowed it, how far it reaches, and from where the answer came. */
export function decisionText(decision: Decision): string {
  const verb = decision.decision === 'approve' ? 'Approved' : 'Denied';
  if (decision.by === 'policy') return decision.decision === 'approve' ? 'Allowed by policy' : 'Denied by policy';
  const from = decision.via ? `, from ${decision.via}` : '';
  return `${verb}${SCOPES[decision.scope]}${from}`;
}
