import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lateAnswer, McpHost, plainSurroundings } from '@tendon/mcp';
import type { NetworkTarget } from '@tendon/network';
import { textResult } from '@tendon/protocol';
import { v7 as newId } from 'uuid';
import manifest from '../../package.json' with { type: 'json' };
import type { Log } from '../log.ts';
import type { Keyring } from '../secrets/keyring.ts';
import { StartError } from '../start-error.ts';
import { serverMcpPath } from './mcp-path.ts';
import { mcpSeal } from './mcp-seal.ts';

export interface ServerMcpOptions {
  readonly home: string;
  readonly log: Log;
  /** This server's own, which stay shut (W16): to be added once it listens, before its MCP servers are started. */
  readonly doors: readonly NetworkTarget[];
  readonly keyring: Keyring;
}

/**
 * The MCP servers of this node, from `<home>/server/mcp.json`. Not the `mcp.json` of the home itself: that is of the machine whose gateway
 * shares the home, and what its person wrote there is not for everybody who uses the server.
 */
export async function openServerMcp({ home, log, doors, keyring }: ServerMcpOptions): Promise<McpHost> {
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
    seal: mcpSeal(keyring),
    place: { name: 'server', prefix: 'server_mcp', hidesSecrets: true, endedEarly },
    surroundings: plainSurroundings({ reserved: doors, wayIn }),
    ...{ folder, version: manifest.version, env: process.env, log, newId },
    now: () => new Date(),
    random: Math.random,
  });
}

const wayIn = (entry: string): string => `the operator can allow this one in the entry of this MCP server in server/mcp.json: "networkAllow": [${entry}].`;

/** `ServerCalls` says why. The server was told to stop, but what it had done by then stays done. */
function endedEarly(signal: AbortSignal, durationMs: number): ReturnType<typeof lateAnswer> {
  const reason = signal.reason as { readonly kind?: unknown; readonly limitMs?: unknown } | undefined;
  if (reason?.kind === 'timeout') return lateAnswer(Number(reason.limitMs), durationMs);
  const why = reason?.kind === 'closing' ? 'Ended because the server was stopped.' : 'Cancelled while it ran.';
  return textResult('cancelled', `${why} What it had done by then stays done.`, { durationMs });
}
