import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { McpServerView } from '@tendon/protocol';
import { type AgentSocket, until } from '@tendon/testing';

const root = join(import.meta.dirname, '../..');
export const EVERYTHING = { command: process.execPath, args: [join(root, 'node_modules/.bin/mcp-server-everything'), 'stdio'] };

/** The server of `mcp-ledger-rig.ts`, which keeps a file of what it was asked to do. */
export function ledgerServer(ledger: string, env: Readonly<Record<string, string>> = {}) {
  return { command: process.execPath, args: [join(root, 'packages/mcp/src/mcp-ledger-rig.ts')], env: { LEDGER: ledger, ...env } };
}

export function linesOf(ledger: string): string[] {
  return existsSync(ledger) ? readFileSync(ledger, 'utf8').split('\n').slice(0, -1) : [];
}

/** What a server does when it is told to end, it tells nobody else. */
export async function untilLine(ledger: string, line: string): Promise<void> {
  await until({ what: `the line ${line}`, check: () => linesOf(ledger).includes(line), pollMs: 20 });
}

/** Replaces the mcp.json of a server's home in one step, as an editor does. */
export async function writeServerMcp(home: string, servers: Record<string, unknown> | string): Promise<void> {
  const path = join(home, 'server', 'mcp.json');
  await mkdir(join(home, 'server'), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, typeof servers === 'string' ? servers : JSON.stringify({ mcpServers: servers }));
  await rename(`${path}.new`, path);
}

/** What is shown of the server's MCP servers, as soon as it is as wanted: asked for once, and again whenever it is said to have changed. */
export async function serversWhen(socket: AgentSocket, look: (servers: readonly McpServerView[]) => boolean): Promise<readonly McpServerView[]> {
  for (;;) {
    const heard = changes(socket);
    const { servers } = await socket.ask('mcp:list', {});
    if (look(servers)) return servers;
    await socket.until(`the MCP servers to change from ${JSON.stringify(servers)}`, () => changes(socket) > heard);
  }
}

function changes(socket: AgentSocket): number {
  return socket.received.filter(({ name }) => name === 'mcp:changed').length;
}

export function hasTool(name: string): (servers: readonly McpServerView[]) => boolean {
  return (servers) => servers.some(({ tools }) => tools.some((tool) => tool.name === name));
}
