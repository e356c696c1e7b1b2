// An MCP server for the tests, over stdin and stdout: what it is asked to do it writes into a file, and it does it until it is let go.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

/** Named by the test. `<ledger>.words` holds what `work` says of itself, `<ledger>.go` lets what is held go. */
const ledger = process.env['LEDGER'] ?? '';
const note = (line: string): void => appendFileSync(ledger, `${line}\n`);
const says = (text: string) => ({ content: [{ type: 'text' as const, text }] });
const wordsFile = `${ledger}.words`;
const description = existsSync(wordsFile) ? readFileSync(wordsFile, 'utf8') : 'Works.';

const server = new McpServer({ name: 'ledger', version: '1.0.0' });
const work = server.registerTool('work', { description, inputSchema: { word: z.string(), timeoutMs: z.number().optional() } }, ({ word }) => {
  note(`worked ${word}`);
  return says(`worked ${word}`);
});
server.registerTool(
  'hold',
  { description: 'Works until it is let go.', inputSchema: { word: z.string(), timeoutMs: z.number().optional() } },
  async ({ word }, extra) => {
    note(`held ${word}`);
    const progressToken = extra._meta?.progressToken;
    if (progressToken !== undefined)
      await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 1, message: `holding ${word}` } });
    while (!existsSync(`${ledger}.go`) && !extra.signal.aborted) await delay(20);
    note(extra.signal.aborted ? `told to end ${word}` : `done ${word}`);
    return says(`done ${word}`);
  },
);
server.registerTool('rename', { description: 'Says something else of work from now on.', inputSchema: { words: z.string() } }, ({ words }) => {
  work.update({ description: words });
  return says('renamed');
});
server.registerTool('tell', { description: 'Tells its environment.' }, async (extra) => {
  const progressToken = extra._meta?.progressToken;
  if (progressToken !== undefined)
    await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 1, message: JSON.stringify(process.env) } });
  // A client takes no progress of a request whose answer it has read: it answers this when it has read the progress.
  await server.server.ping();
  return says(JSON.stringify(process.env));
});
server.registerTool('end', { description: 'Ends, with its environment as its last words.' }, () => {
  process.stderr.write(JSON.stringify(process.env));
  return process.exit(3);
});
server.registerTool('flood', { description: 'Says more than anybody keeps.' }, async (extra) => {
  const progressToken = extra._meta?.progressToken;
  for (let index = 0; index < 200 && progressToken !== undefined; index += 1)
    await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: index, message: 'y'.repeat(20_000) } });
  return says('x'.repeat(4 * 1024 * 1024));
});
server.registerTool('picture', { description: 'A picture.' }, () => ({
  content: [{ type: 'image', data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', mimeType: 'image/png' }],
}));

for (let index = 0; index < Number(process.env['EXTRA_TOOLS'] ?? 0); index += 1)
  server.registerTool(`extra${index}`, { description: 'One of many.' }, () => says(''));

await server.connect(new StdioServerTransport());
