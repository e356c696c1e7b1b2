import type { Finding } from './finding.ts';

/** Whether the machine can run commands in a terminal: the library for that is an optional package of each platform. */
export async function checkTerminals(faultOf = loadedFault): Promise<Finding> {
  const subject = 'terminals';
  const fault = await faultOf();
  if (fault === undefined) return { subject, state: 'ok', detail: 'programs that want a terminal can have one' };
  return {
    subject,
    state: 'missing',
    detail: `commands cannot run in a terminal (${fault})`,
    mend: 'Only bash with terminal needs it: run "npm ci" with optional packages, and start the gateway again.',
  };
}

async function loadedFault(): Promise<string | undefined> {
  const { terminalFault } = await import('@tendon/gateway/terminals');
  return terminalFault();
}
