import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lateAnswer, McpHost, plainSurroundings } from '@tendon/mcp';
import { textResult } from '@tendon/protocol';
import { v7 as newId } from 'uuid';
import manifest from '../../package.json' with { type: 'json' };
import type { Log } from '../log.ts';
import { StartError } from '../start-error.ts';
import { serverMcpPath } from './mcp-path.ts';

export interface ServerMcpOptions {
  readonly home: string;
  readonly log: Log;
  /** Of this server: no MCP server leads there (rule W16). Looked at with each connection, so that the port may be known later. */
  readonly doors: readonly { readonly host: string; readonly port: number }[];
}

/**
 * The MCP servers of this node, from `<home>/server/mcp.json`. Not the `mcp.json` of the home itself: that is of the machine whose gateway
 * shares the home, and what its person wrote there is not for everybody who uses the server.
 */
export async function openServerMcp({ home, log, doors }: ServerMcpOptions): Promise<McpHost> {
  const config = serverMcpPath(home);
  const own = join(config, '..');
  const folder = join(own, 'mcp-work');
  try {
    for (const made of [own, folder]) {
      await mkdir(made, { recursive: true, mode: 0o700 });
      await chmod(made, 0o700);
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new StartError(`${folder} cannot be made or protected (${code}): mend its permissions, or give another TENDON_HOME`, { cause: error });
  }
  return McpHost.open({
    files: { config, pins: join(own, 'mcp-pins.json'), processes: join(own, 'mcp-processes.json'), credentials: join(own, 'mcp-credentials.json') },
    place: { name: 'server', prefix: 'server_mcp', hidesSecrets: true, endedEarly },
    surroundings: plainSurroundings({ reserved: doors, wayIn }),
    ...{ folder, version: manifest.version, env: process.env, log, newId },
    now: () => new Date(),
    random: Math.random,
  });
}

const wayIn = (): string => 'a token in "headers" needs no sign-in there.';

/** `ServerCalls` says why. The server was told to stop, but what it had done by then stays done. */
function endedEarly(signal: AbortSignal, durationMs: number): ReturnType<typeof lateAnswer> {
  const reason = signal.reason as { readonly kind?: unknown; readonly limitMs?: unknown } | undefined;
  if (reason?.kind === 'timeout') return lateAnswer(Number(reason.limitMs), durationMs);
  const why = reason?.kind === 'closing' ? 'Ended because the server was stopped.' : 'Cancelled while it ran.';
  return textResult('cancelled', `${why} What it had done by then stays done.`, { durationMs });
}

/** By every name and address of this machine, and by the address that people use. */
export function ownDoors(publicOrigin: string, port: number): { host: string; port: number }[] {
  const url = new URL(publicOrigin);
  const shown = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80) };
  return [{ host: 'localhost', port }, shown];
}
