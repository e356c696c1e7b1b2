import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type McpBench, type McpBenchOptions, openMcpBench } from '@tendon/mcp/rig';
import { OPEN_POLICY, type Policy } from '../policy/policy.ts';
import { openWorkspace } from '../tools/workspace.ts';
import { MachineSurroundings } from './machine-surroundings.ts';
import type { ServerSeatsOptions } from './server-seats.ts';

export interface MachineBenchOptions extends Partial<Omit<ServerSeatsOptions, 'policy'>>, Pick<McpBenchOptions, 'jitter' | 'at'> {
  /** The machine's policy, from its next look on. */
  readonly policy?: () => Policy | 'broken';
}

/** A host with real servers in the surroundings that a machine's policy gives them. For tests. */
export function openMachineBench(servers: Record<string, unknown> | string, options: MachineBenchOptions = {}): Promise<McpBench> {
  const { jitter, at, policy: said, ...more } = options;
  const policy: ServerSeatsOptions['policy'] = {
    current: async () => {
      const current = said?.() ?? OPEN_POLICY;
      return current === 'broken' ? { ok: false, message: 'the policy file is broken' } : { ok: true, policy: current };
    },
  };
  return openMcpBench(servers, {
    ...(jitter === undefined ? {} : { jitter }),
    ...(at === undefined ? {} : { at }),
    async surroundings({ base, workspace, log }) {
      const home = join(base, 'home');
      await mkdir(home, { recursive: true });
      return new MachineSurroundings({ reserved: [], workspaces: [await openWorkspace(workspace, home)], home, log, ...more, policy });
    },
  });
}
