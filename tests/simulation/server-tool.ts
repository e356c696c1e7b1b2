import { failedResult, type ToolResult, textResult } from '@tendon/protocol';
import type { RunnerOptions } from '@tendon/server/parts';
import type { SimulatedProcess } from './virtual-time.ts';
import type { World } from './world.ts';

export const SERVER_TOOL = 'server_mcp__simulated__work';

/** What a call does may take longer than its time limit. */
const LONG_MS = 20_000;

interface Place {
  readonly node: string;
  readonly process: SimulatedProcess;
}

/** The tool of an MCP server that runs on a node, and ends with it. */
export function serverTool(world: World, place: Place): NonNullable<RunnerOptions['mcp']> {
  const inputSchema = { type: 'object', properties: { word: { type: 'string' } } };
  return {
    announced: [{ name: SERVER_TOOL, description: 'Works.', inputSchema, effect: 'execute', source: 'simulated' }],
    definitionOf: () => 'what it says of itself',
    servers: [],
    watch: () => undefined,
    prepare: (tool, input) => ({
      ok: true,
      call: {
        effect: 'execute',
        subject: () => ({ written: JSON.stringify(input), readings: [], commands: [] }),
        run: ({ signal }) => run(world, place, { tool, input, signal }),
      },
    }),
  };
}

/** The call is found by its input, which no other open one has. */
function run(world: World, { node, process }: Place, { tool, input, signal }: { tool: string; input: unknown; signal: AbortSignal }): Promise<ToolResult> {
  const { time, random, judge, tables, newId } = world;
  const found = [...tables.calls.values()].findLast((call) => call['tool'] === tool && JSON.stringify(call['input']) === JSON.stringify(input));
  const [callId, runId] = [found?.id ?? 'nowhere', newId()];
  const holder = found?.['dispatch_instance_id'];
  judge.check('I10', holder === node, () => `call ${callId} runs at ${node} and was handed to ${String(holder)}`);
  judge.effectStarted({ tool, input, subject: tool, callId, gatewayId: null, instanceId: node, runId });
  return new Promise((resolve) => {
    const settle = (result: ToolResult): void => {
      judge.effectEnded(runId);
      judge.resultMade(callId, { instanceId: node, result });
      resolve(result);
    };
    const lastsMs = random.chance(0.4) ? LONG_MS : random.between(1, 4_000);
    const cancel = time.after(lastsMs, () => settle(textResult('succeeded', `done by ${runId}`)), process);
    const end = (): void => {
      cancel();
      const isLate = (signal.reason as { kind: string }).kind === 'timeout';
      if (!isLate) judge.sometimes('a running call on the server is told to end');
      settle(isLate ? failedResult('timeout', 'late') : textResult('cancelled', `ended by ${runId}`));
    };
    signal.addEventListener('abort', end, { once: true });
  });
}
