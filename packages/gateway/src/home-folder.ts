import { chmod, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { REFUSALS_FILE } from './calls/machine-refusals.ts';
import { GatewayStartError } from './start-error.ts';
import { errorCode } from './tools/faults.ts';

/** Where a gateway keeps what outlives it. Nobody else may look inside. */
export interface GatewayFolders {
  readonly home: string;
  readonly identity: string;
  readonly journal: string;
  readonly lock: string;
  readonly policy: string;
  /** Long outputs of commands, for as long as the gateway runs. */
  readonly outputs: string;
  /** The last number of a background process that was given out. */
  readonly processNumbers: string;
  /** What runs in the background. */
  readonly processes: string;
  /** Of the browser's process; there only while it runs. */
  readonly browser: string;
  /** What files were before tools changed them. */
  readonly undo: string;
  /** What the person writes: the MCP servers of this machine. */
  readonly mcp: string;
  readonly mcpPins: string;
  readonly mcpProcesses: string;
  readonly mcpCredentials: string;
  /** What was refused of what the server asked for. */
  readonly refusals: string;
}

/** Makes `<home>/gateway/<name>/`, 0700 all the way. Errors: `GatewayStartError`. */
export async function openGatewayFolders(home: string, name: string): Promise<GatewayFolders> {
  const root = resolve(home);
  const own = join(root, 'gateway', folderName(name));
  try {
    for (const folder of [root, join(root, 'gateway'), own]) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await chmod(folder, 0o700);
    }
  } catch (error) {
    throw new GatewayStartError(
      'home_unusable',
      `The folder ${own} cannot be made or protected (${errorCode(error) ?? 'unknown error'}). Set TENDON_HOME to a folder of your own.`,
      { cause: error },
    );
  }
  return {
    home: root,
    identity: join(own, 'identity.json'),
    journal: join(own, 'journal'),
    lock: join(own, 'lock'),
    browser: join(own, 'browser'),
    policy: join(root, 'gateway-policy.json'),
    outputs: join(own, 'outputs'),
    processNumbers: join(own, 'process-numbers'),
    processes: join(own, 'processes.json'),
    undo: join(own, 'undo'),
    mcp: join(root, 'mcp.json'),
    mcpPins: join(own, 'mcp-pins.json'),
    mcpProcesses: join(own, 'mcp-processes.json'),
    mcpCredentials: join(own, 'mcp-credentials.json'),
    refusals: join(own, REFUSALS_FILE),
  };
}

/** A machine's name as the name of one folder, whatever characters it has. */
function folderName(name: string): string {
  const safe = Buffer.from(name, 'utf8').reduce((text, byte) => {
    const character = String.fromCharCode(byte);
    return text + (/[A-Za-z0-9_-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`);
  }, '');
  return safe.slice(0, 200);
}
