import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ToolResult } from '@tendon/protocol';
import type { ProcessIdentity } from '@tendon/system';
import { pino } from 'pino';
import { v7 as newId } from 'uuid';
import { BrowserHost, type BrowserHostOptions } from '../browser/browser-host.ts';
import { OPEN_POLICY, type Policy } from '../policy/policy.ts';
import { CommandNetworks, type CommandNetworksOptions } from '../sandbox/command-networks.ts';
import type { SandboxSettings } from '../sandbox/sandbox.ts';
import { Snapshots } from '../undo/snapshots.ts';
import { BackgroundProcesses, type RunningBook } from './background.ts';
import { openSpoolFolder } from './output-spool.ts';
import { buildRegistry } from './registry.ts';
import type { EndReason } from './tool.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

/** Real folders and the real tools, without a link: a workspace with awkward characters in its name, and what lies outside of it. */
export interface ToolBench extends AsyncDisposable {
  readonly workspace: Workspace;
  readonly root: string;
  readonly outside: string;
  readonly home: string;
  readonly spawned: ProcessIdentity[];
  readonly live: string[];
  readonly browser: BrowserHost;
  readonly browserFolder: string;
  readonly networks: CommandNetworks;
  /** Where what files were before is kept. */
  readonly undoFolder: string;
  readonly snapshots: Snapshots;
  /** What of the network the machine's owner allows, from the next call on. */
  readonly allow: string[];
  run(
    tool: string,
    input: unknown,
    how?: { abort?: AbortController; callId?: string; sessionId?: string; onOutput?: (text: string) => void },
  ): Promise<ToolResult>;
}

/** Commands run bare unless a sandbox is asked for, so that a test means the same on every machine. */
export async function openBench(
  sandbox: SandboxSettings = { mode: 'off' },
  options: Partial<BrowserHostOptions> & Partial<CommandNetworksOptions> & { readonly book?: RunningBook } = {},
): Promise<ToolBench> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'tendon tools ')));
  const root = join(base, 'work "quoted" \u00fc\u{1F98A}');
  const outside = join(base, 'outside');
  const home = join(root, '.tendon');
  for (const folder of [root, outside, home]) await mkdir(folder);
  const workspace = await openWorkspace(root, home);
  const registry = buildRegistry();
  const background = new BackgroundProcesses(await openSpoolFolder(join(base, 'outputs')), undefined, options.book);
  const spawned: ProcessIdentity[] = [];
  const live: string[] = [];
  const allow: string[] = [];
  const policy = { current: async (): Promise<{ ok: true; policy: Policy }> => ({ ok: true, policy: { ...OPEN_POLICY, sandbox, network: { allow } } }) };
  const undoFolder = join(base, 'undo');
  const snapshots = new Snapshots({ folder: undoFolder, log: pino({ level: 'silent' }), now: () => new Date() });
  const browserFolder = join(base, 'browser "q" \u00fc');
  const browser = new BrowserHost({ folder: browserFolder, policy, reserved: [], ...options });
  const networks = new CommandNetworks({ policy, reserved: [], ...options });
  return {
    workspace,
    root,
    outside,
    home,
    spawned,
    live,
    browser,
    browserFolder,
    networks,
    undoFolder,
    snapshots,
    allow,
    async run(tool, input, how = {}) {
      const prepared = registry.prepare(tool, input);
      if (!prepared.ok) throw new Error(prepared.message);
      const take = (text: string): void => {
        live.push(text);
        how.onOutput?.(text);
      };
      return prepared.call.run({
        callId: how.callId ?? newId(),
        sessionId: how.sessionId ?? 'one session',
        workspace,
        signal: (how.abort ?? new AbortController()).signal,
        onOutput: take,
        onSpawned: (leader) => spawned.push(leader),
        background,
        browser,
        networks,
        snapshots,
        policy,
      });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([background.close(), browser.close(), networks.close()]);
      await rm(base, { recursive: true, force: true });
    },
  };
}

export const cancelled: EndReason = { kind: 'cancelled' };

export function textOf(result: ToolResult): string {
  return result.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** Reads on until what a command in the background has said has this in it. */
export async function untilSaid(bench: ToolBench, id: string, wanted: RegExp): Promise<string> {
  for (let round = 0; round < 100; round += 1) {
    const text = textOf(await bench.run('read_process', { id, fromByte: 0 }));
    if (wanted.test(text)) return text;
    const at = /bytes \d+ to (\d+)/.exec(text)?.[1];
    await bench.run('read_process', { id, fromByte: Number(at), waitMs: 500 });
  }
  throw new Error(`${id} never said ${wanted}`);
}
