// An MCP server over stdio for the tests, which runs whatever it is told to.
import { spawn } from 'node:child_process';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const server = new McpServer({ name: 'shell', version: '1.0.0' });
server.registerTool('run', { description: 'Runs a command.', inputSchema: { command: z.string() } }, ({ command }) => {
  const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  return new Promise((resolve) => child.once('close', () => resolve({ content: [{ type: 'text', text: said }] })));
});
server.registerTool('fetch', { description: 'Fetches by itself.', inputSchema: { url: z.string() } }, async ({ url }) => {
  const text = await fetch(url).then(
    (answer) => answer.text(),
    (error: Error) => `fetch: ${error.message}`,
  );
  return { content: [{ type: 'text', text }] };
});
server.registerTool('leave', { description: 'Leaves a child that ignores TERM.' }, () => {
  const child = spawn('bash', ['-c', 'trap "" TERM; while :; do sleep 1; done'], { stdio: 'ignore', detached: true });
  child.unref();
  return { content: [{ type: 'text', text: 'left' }] };
});
server.registerTool('crash', { description: 'Ends the server.' }, () => process.exit(3));
await server.connect(new StdioServerTransport());
