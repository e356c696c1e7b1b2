import type { Call, Gateway } from '@tendon/protocol';

/** Of a machine, on its card: what keeps its commands from the rest of it. */
export function sandboxWords({ sandbox }: Pick<Gateway, 'sandbox'>): string {
  if (!sandbox) return 'Not known: the machine does not say it. Update Tendon there.';
  if (sandbox.kind !== 'none') return `Commands run in a sandbox (${sandbox.kind}).`;
  const why = sandbox.reason === undefined ? '' : `: ${sandbox.reason}`;
  return sandbox.isRequired ? `None${why}. Its policy file wants one, so it runs no command.` : `None${why}. Commands can do all that its user can.`;
}

/** Before a command runs: what its person should know of the place. Undefined when there is a sandbox, when it is not known, and for what is no command. */
export function sandboxWarning(call: Pick<Call, 'tool' | 'kind'>, gateway: Pick<Gateway, 'sandbox'> | undefined): string | undefined {
  const sandbox = gateway?.sandbox;
  if (call.kind !== 'local' || call.tool !== 'bash' || sandbox?.kind !== 'none') return undefined;
  const why = sandbox.reason === undefined ? '' : ` (${sandbox.reason})`;
  return sandbox.isRequired
    ? `This machine wants commands in a sandbox and has none${why}: it will refuse this.`
    : `Runs without a sandbox on this machine${why}: it can do all that its user can.`;
}
