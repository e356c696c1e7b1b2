import { decidePolicy, type Policy } from './policy.ts';

/** What a watch is like among the tools: a picture of the page that is open. */
const LIKE = { tool: 'browser_screenshot', effect: 'read', subject: { written: 'page', readings: [], commands: [] } } as const;

/**
 * Whether the page of this machine may show what its browser shows, which goes through the server. Pure. `browser.live` decides, and a rule that
 * denies taking pictures of pages forbids it in any case. Where nothing is said, it may, unless pictures are asked about or the machine does not
 * trust its server (`requireLocalApproval`): nobody here is asked about a watch.
 */
export function mayBeWatched(policy: Policy, workspaces: readonly string[]): boolean {
  const actions = workspaces.map((workspace) => decidePolicy(policy, { ...LIKE, workspace }).action);
  if (policy.browser?.live === false || actions.includes('deny')) return false;
  return policy.browser?.live === true || (policy.requireLocalApproval !== true && !actions.includes('ask'));
}
