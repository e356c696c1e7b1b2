import { realpath, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Policy } from '../policy/policy.ts';
import { ToolFault } from '../tools/faults.ts';
import type { Workspace } from '../tools/workspace.ts';
import { bubblewrapArguments, type Mounts, probeBubblewrap, type SandboxState } from './bubblewrap.ts';

/*
 *   policy says off ──────────────────────────────► bare
 *   auto / required ──probed once──► bubblewrap ──► sandboxed
 *                          └──► none ──auto──► bare     (the card says so)
 *                                     └──required──► refused
 */

export type SandboxSettings = NonNullable<Policy['sandbox']>;

/** How a shell line is started. */
export interface ShellStart {
  readonly program: string;
  readonly args: readonly string[];
  readonly isSandboxed: boolean;
}

let probing: Promise<SandboxState> | undefined;

/** Probed once per process. */
export function sandboxState(): Promise<SandboxState> {
  probing ??= probeBubblewrap();
  return probing;
}

/** Errors: `ToolFault` when the policy wants a sandbox and the machine has none. */
export async function shellStart(line: string, place: { workspace: Workspace; folder: string }, settings: SandboxSettings = {}): Promise<ShellStart> {
  const bare: ShellStart = { program: 'bash', args: ['-c', '--', line], isSandboxed: false };
  const mode = settings.mode ?? 'auto';
  if (mode === 'off') return bare;
  const state = await sandboxState();
  if (state.kind === 'none') {
    if (mode === 'auto') return bare;
    throw new ToolFault(
      'no_sandbox',
      `Nothing was run: this machine's policy wants commands in a sandbox, and it has none (${state.reason}). Its owner can install it (Debian: apt install bubblewrap) or change "sandbox" in the policy file, and start the gateway again.`,
    );
  }
  const mounts = await mountsFor(place.workspace, settings);
  return { program: 'bwrap', args: [...bubblewrapArguments(mounts, place.folder), bare.program, ...bare.args], isSandboxed: true };
}

/** Where builds put what they fetch: without them most would fail. */
function caches(): string[] {
  return [process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), join(homedir(), '.npm')];
}

/** Doors to programs that act outside of the sandbox for whoever asks. */
function doors(): string[] {
  const runtime = process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.() ?? 0}`;
  const own = ['bus', 'systemd', 'docker.sock', 'podman'].map((name) => join(runtime, name));
  return ['/run/docker.sock', '/run/containerd', '/run/podman', '/run/dbus/system_bus_socket', '/run/systemd/private', ...own];
}

/** Where browsers keep what they are signed in with, to a relay's page on this machine as well. */
function browserProfiles(): string[] {
  const config = process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
  const inConfig = ['google-chrome', 'chromium', 'microsoft-edge', 'BraveSoftware', 'vivaldi', 'opera', 'mozilla'].map((name) => join(config, name));
  const flatpak = ['org.mozilla.firefox', 'com.google.Chrome', 'org.chromium.Chromium', 'com.microsoft.Edge', 'com.brave.Browser'];
  const inHome = ['.mozilla', '.librewolf', 'snap/firefox', 'snap/chromium', 'snap/brave', ...flatpak.map((name) => join('.var/app', name))];
  return [...inConfig, ...inHome.map((name) => join(homedir(), name))];
}

async function mountsFor(workspace: Workspace, settings: SandboxSettings): Promise<Mounts> {
  const writable = await placesOf([workspace.root, '/tmp', tmpdir(), ...caches(), ...(settings.writable ?? [])]);
  const hidden = await placesOf([...doors(), ...browserProfiles(), ...(settings.hidden ?? []), workspace.forbidden]);
  return {
    writable: writable.map((place) => place.path),
    hiddenFolders: hidden.filter((place) => place.isFolder).map((place) => place.path),
    hiddenFiles: hidden.filter((place) => !place.isFolder).map((place) => place.path),
    hasNetwork: settings.network ?? true,
  };
}

interface Place {
  readonly path: string;
  readonly isFolder: boolean;
}

/** Where they truly are: bubblewrap mounts on no link. What is not there is left out. */
async function placesOf(paths: readonly string[]): Promise<Place[]> {
  const places = await Promise.all(paths.map(placeOf));
  return places.filter((place) => place !== undefined);
}

async function placeOf(path: string): Promise<Place | undefined> {
  try {
    const truePath = await realpath(path);
    return { path: truePath, isFolder: (await stat(truePath)).isDirectory() };
  } catch {
    return undefined;
  }
}
