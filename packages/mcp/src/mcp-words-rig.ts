// An MCP server over stdin and stdout, whose tools say of themselves whatever the file says.
import { readFileSync } from 'node:fs';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';

const tools = JSON.parse(readFileSync(process.env['TOOLS'] ?? '', 'utf8')) as { title: string; description: string }[];
const server = new McpServer({ name: 'words', version: '1.0.0' });
for (const [index, words] of tools.entries()) server.registerTool(`tool${index}`, words, () => ({ content: [] }));
await server.connect(new StdioServerTransport());
