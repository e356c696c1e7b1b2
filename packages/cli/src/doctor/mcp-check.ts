import { join } from 'node:path';
import { serverMcpPath } from '@tendon/server/settings';
import type { Finding } from './finding.ts';
import { findProgram } from './programs.ts';

/** The MCP servers of this machine's gateway and of its server: what is wrong in mcp.json, and which of their commands are not there. It starts none. */
export async function checkMcp(home: string, env: NodeJS.ProcessEnv): Promise<readonly Finding[]> {
  const ofGateway = await checkFile({ subject: 'mcp', path: join(home, 'mcp.json'), reader: 'gateway' }, env);
  return [...ofGateway, ...(await checkFile({ subject: 'mcp on the server', path: serverMcpPath(home), reader: 'server' }, env))];
}

interface McpFile {
  readonly subject: string;
  readonly path: string;
  readonly reader: 'gateway' | 'server';
}

async function checkFile({ subject, path, reader }: McpFile, env: NodeJS.ProcessEnv): Promise<readonly Finding[]> {
  const { readMcpConfig, howToInstall, folderFault, severalWordsFault } = await import('@tendon/mcp/settings');
  const { servers, faults } = await readMcpConfig(path, env, reader);
  const wrong = faults.map(({ line }): Finding => ({ subject, state: 'missing', detail: line }));
  const looked = servers.map(async (server): Promise<Finding[]> => {
    if (server.kind === 'http') return [];
    const { name, command, cwd } = server;
    const isThere = findProgram(command, server.env['PATH'] ?? env['PATH']) !== undefined;
    const said = [cwd === undefined ? undefined : await folderFault(cwd), isThere ? undefined : severalWordsFault(command)];
    const faulty = said.flatMap((fault): Finding[] => (fault === undefined ? [] : [{ subject, state: 'missing', detail: `"${name}" cannot start: ${fault}` }]));
    if (isThere || said[1] !== undefined) return faulty;
    const detail = `"${name}" needs the command "${command}", which is not there`;
    return [...faulty, { subject, state: 'missing', detail, mend: `${howToInstall(command)}.` }];
  });
  const absent = (await Promise.all(looked)).flat();
  if (wrong.length + absent.length > 0) return [...wrong, ...absent];
  return servers.length === 0 ? [] : [{ subject, state: 'ok', detail: servers.map(({ name }) => name).join(', ') }];
}
