import { failedResult, type ToolResult } from '@tendon/protocol';
import { errorCode } from './faults.ts';
import { NoTerminal } from './terminal.ts';

/** Why a command did not begin, and what its person or the owner of the machine can do. */
export function notStarted(error: Error, isSandboxed: boolean): ToolResult {
  if (error instanceof NoTerminal)
    return failedResult(
      'no_terminal',
      `This machine cannot run a command in a terminal (${error.message}). Run it without one, or its owner can install Tendon there with npm ci and its optional packages, and start the gateway again.`,
    );
  if (errorCode(error) === 'ENOENT' && isSandboxed)
    return failedResult(
      'no_sandbox',
      'bubblewrap is no longer on this machine. Install it again (Debian: apt install bubblewrap), or start the gateway again.',
    );
  if (errorCode(error) === 'ENOENT') return failedResult('no_shell', 'bash was not found on this machine. Install bash, or put it on the PATH of the gateway.');
  return failedResult('not_started', `The command could not be started (${errorCode(error) ?? error.message}). Try again.`);
}
