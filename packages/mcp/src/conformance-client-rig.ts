// The client that the public conformance suite of MCP starts for each scenario: a host of MCP servers, from an mcp.json, as a gateway has one. It
// signs in as a person would who reads the log, and calls every tool.
import type { GatewayTool, ToolResult } from '@tendon/protocol';
import { z } from 'zod';
import { openMcpBench } from './mcp-rig.ts';

const contextSchema = z.looseObject({ client_id: z.string().optional(), client_secret: z.string().optional() });

/** The suite ends the shell that it starts, and not what runs in it. */
const DEADLINE_MS = 20_000;
setTimeout(() => process.exit(2), DEADLINE_MS).unref();

const url = process.argv.at(-1) ?? '';
const context = contextSchema.parse(JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}'));
const oauth = context.client_id === undefined ? {} : { oauth: { clientId: context.client_id, clientSecret: context.client_secret } };

await using bench = await openMcpBench({ suite: { url, ...oauth } });
const opened = new Set<string>();
/** Pages that have said that somebody is signed in. */
let signedIn = 0;
/** A person who is refused by the service can do no more. */
const refused = Promise.withResolvers<string>();

/** Opens each address that the log asks to open. */
bench.watch((line) => {
  const address = /open this address in a browser on this machine: (http[^"\s]+)/.exec(line)?.[1];
  if (address === undefined || opened.has(address)) return;
  opened.add(address);
  fetch(address)
    .then(async (page) => {
      process.stdout.write(`${page.status} ${await page.text()}`);
      if (page.ok) signedIn += 1;
      else refused.resolve('the service has refused the sign-in\n');
    })
    .catch((error: unknown) => refused.resolve(`the address could not be opened: ${String(error)}\n`));
});

const isReady = bench.logged(/an MCP server is ready/);
const outcome = await Promise.race([isReady, bench.logged(/offers none that works here|which is not enough/), refused.promise]);
process.stdout.write(outcome);
if (!outcome.includes('is ready')) process.exitCode = 1;
else for (const tool of bench.host.announced) if (!(await succeeds(tool))) process.exitCode = 1;

async function succeeds(tool: GatewayTool): Promise<boolean> {
  const signedInBefore = signedIn;
  let result = await bench.run(tool.name, sampleInput(tool));
  if (/sign-in for more rights/.test(result.error?.message ?? '')) {
    while (signedIn === signedInBefore) await new Promise(setImmediate);
    result = await again(tool);
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.status === 'succeeded';
}

/** The server may be on its way back. */
async function again(tool: GatewayTool): Promise<ToolResult> {
  for (;;) {
    const result = await bench.run(tool.name, sampleInput(tool));
    if (result.error?.code !== 'mcp_unavailable') return result;
    await new Promise(setImmediate);
  }
}

/** A number for every field that is required. */
function sampleInput(tool: GatewayTool): Record<string, unknown> {
  const { required } = z.looseObject({ required: z.array(z.string()).default([]) }).parse(tool.inputSchema);
  return Object.fromEntries(required.map((name, index) => [name, index + 1]));
}
