import type { Call, Gateway } from '@tendon/protocol';

/** Whether only an approval on the machine's own page, of this very call, lets it run: none from elsewhere, and no rule. */
export function needsLocalApproval(call: Pick<Call, 'kind' | 'effect'>, gateway: Pick<Gateway, 'localApprovalOnly'> | undefined): boolean {
  return gateway?.localApprovalOnly === true && call.kind === 'local' && call.effect !== 'read';
}

/** Before a call is decided elsewhere: where its approval counts. Undefined where it counts here. */
export function localApprovalWarning(
  call: Pick<Call, 'kind' | 'effect'>,
  gateway: Pick<Gateway, 'id' | 'name' | 'localApprovalOnly'> | undefined,
  /** The machine whose own page asks this, if one does. */
  ownMachine?: string,
): string | undefined {
  if (!gateway || !needsLocalApproval(call, gateway) || gateway.id === ownMachine) return undefined;
  return `${gateway.name} runs only what is approved on its own page: open it there, with “tendon desktop” or the link of “tendon gateway --relay”. Approved here, this will not be run.`;
}
