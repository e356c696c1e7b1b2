import { join } from 'node:path';
import type { Finding } from './finding.ts';
import { findProgram } from './programs.ts';

const subject = 'mcp';

/** The MCP servers of this machine's gateway: what is wrong in mcp.json, and which of their commands are not there. It starts none. */
export async function checkMcp(home: string, env: NodeJS.ProcessEnv): Promise<readonly Finding[]> {
  const { readMcpConfig, howToInstall } = await import('@tendon/mcp/settings');
  const { servers, faults } = await readMcpConfig(join(home, 'mcp.json'), env);
  const wrong = faults.map(({ line }): Finding => ({ subject, state: 'missing', detail: line }));
  const absent = servers.flatMap((server): Finding[] => {
    if (server.kind === 'http') return [];
    if (findProgram(server.command, server.env['PATH'] ?? env['PATH']) !== undefined) return [];
    return [
      {
        subject,
        state: 'missing',
        detail: `"${server.name}" needs the command "${server.command}", which is not there`,
        mend: `${howToInstall(server.command)}.`,
      },
    ];
  });
  if (wrong.length + absent.length > 0) return [...wrong, ...absent];
  return servers.length === 0 ? [] : [{ subject, state: 'ok', detail: servers.map(({ name }) => name).join(', ') }];
}
