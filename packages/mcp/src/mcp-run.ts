import { failedResult, type Grant, type ToolResult } from '@tendon/protocol';

/** What one call is run with. */
export interface McpRun {
  /** Aborted when the call is to end early. */
  readonly signal: AbortSignal;
  /** Live output, as it comes. Best effort: the result carries what counts. */
  readonly onOutput: (text: string) => void;
}

export interface McpRefusal {
  readonly code: string;
  readonly message: string;
}

/** A tool with its input checked already: calling it runs it. */
export interface McpCall {
  readonly effect: 'execute';
  /** The input as rules of a policy are about it. */
  subject(): { written: string; readings: readonly string[]; commands: readonly string[] };
  /** Why this tool may not run by this grant; asked after the policy. Left out: any grant will do. */
  refusalOf?(grant: Grant): McpRefusal | undefined;
  run(run: McpRun): Promise<ToolResult>;
}

export type McpPreparation =
  | { readonly ok: true; readonly call: McpCall }
  | { readonly ok: false; readonly code: 'unknown_tool' | 'invalid_input'; readonly message: string };

/** Who runs the servers, in what differs. */
export interface McpPlace {
  /** As logs and results name it. */
  readonly name: 'gateway' | 'server';
  /** Before the name of every tool, so that those of a machine and those of the server never share one. */
  readonly prefix: 'mcp' | 'server_mcp';
  /** What servers say does not get around with the secrets of their entries in it: others than whoever wrote the file read it. */
  readonly hidesSecrets: boolean;
  /** The result of a call whose signal was aborted. */
  endedEarly(signal: AbortSignal, durationMs: number): ToolResult;
}

/** The server was told to stop, but what it had done by then stays done. */
export function lateAnswer(limitMs: number, durationMs: number): ToolResult {
  const message = `The MCP server did not answer within ${limitMs} ms and was told to stop. Look at what it has done before you ask again.`;
  return failedResult('timeout', message, { durationMs });
}
