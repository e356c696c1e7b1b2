import { join } from 'node:path';
import type { McpBench } from '@tendon/mcp/rig';
import { OPEN_POLICY, type Policy } from '../policy/policy.ts';
import { textOf } from '../tools/tool-bench-rig.ts';
import { type MachineBenchOptions, openMachineBench } from './machine-bench-rig.ts';

export const SHELL_SERVER = { command: process.execPath, args: [join(import.meta.dirname, 'shell-server-rig.ts')] };

export interface ShellBench extends AsyncDisposable {
  readonly bench: McpBench;
  /** What the policy says from its next look on. */
  setPolicy(policy: Partial<Policy> | 'broken'): void;
  /** Runs a line in the server, and waits for its start before. */
  run(command: string): Promise<string>;
}

/** A host with one server that runs whatever it is told, as `policy` wants it run. */
export async function openShellBench(policy: Partial<Policy>, options: MachineBenchOptions & { readonly entry?: object } = {}): Promise<ShellBench> {
  let said: Policy | 'broken' = { ...OPEN_POLICY, ...policy };
  const bench = await openMachineBench({ shell: { ...SHELL_SERVER, ...options.entry } }, { ...options, policy: () => said });
  return {
    bench,
    setPolicy(next) {
      said = next === 'broken' ? next : { ...OPEN_POLICY, ...next };
    },
    async run(command) {
      await bench.announced('mcp__shell__run');
      return textOf(await bench.run('mcp__shell__run', { command }));
    },
    [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
  };
}
