import { realpath, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Policy } from '../policy/policy.ts';
import { ToolFault } from '../tools/faults.ts';
import type { Workspace } from '../tools/workspace.ts';
import { bubblewrapArguments, type Mounts, type Probe, probeBubblewrap, type SandboxState } from './bubblewrap.ts';
import type { NetworkSeat } from './command-networks.ts';
import { openIsolatedNetwork } from './isolated-network.ts';
import { machineSockets } from './machine-sockets.ts';
import { socketFilter, withDescriptorNine } from './socket-filter.ts';

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
  /** Its place in a filtered network. Who starts the line gives it up. */
  readonly seat?: NetworkSeat;
}

/** Where a shell line is to run. */
export interface ShellPlace {
  readonly workspace: Workspace;
  readonly folder: string;
  /** Asked when the policy wants a filtered network. */
  readonly joinNetwork: () => Promise<NetworkSeat>;
}

export interface Program {
  readonly program: string;
  readonly args: readonly string[];
}

/** Where a program is to run in a sandbox. */
export interface SandboxPlace extends Pick<ShellPlace, 'folder' | 'joinNetwork'> {
  /** May be written, besides temporary files and caches. */
  readonly workspaces: readonly string[];
  /** The gateway's own folder. */
  readonly forbidden: string;
}

let probing: Promise<Probe> | undefined;

/** Probed once per process, and again while it could not be. */
export async function sandboxState(): Promise<SandboxState> {
  probing ??= probeBubblewrap();
  const { state, isPassing } = await probing;
  if (isPassing) probing = undefined;
  return state;
}

/** Why the network of commands could not be filtered here; undefined when it could. Tries it out. */
export async function filterFault(): Promise<string | undefined> {
  try {
    const network = await openIsolatedNetwork();
    network.door.close();
    await network.close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Errors: `ToolFault` when the policy wants a sandbox, or a filtered network, and the machine has none. */
export async function shellStart(line: string, place: ShellPlace, settings: SandboxSettings = {}): Promise<ShellStart> {
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
  const { root, forbidden } = place.workspace;
  return { ...(await inSandbox(bare, { ...place, workspaces: [root], forbidden }, settings)), isSandboxed: true };
}

/** On a machine that can make a sandbox. Errors: `ToolFault` when a filtered network is wanted and cannot be made. */
export async function inSandbox(
  bare: Program,
  place: SandboxPlace,
  settings: Omit<SandboxSettings, 'mode'>,
): Promise<Program & { readonly seat?: NetworkSeat }> {
  const filter = (settings.network ?? true) === true ? undefined : socketFilter(process.arch);
  // It may take its time, and what is hidden has to be there when bubblewrap starts: sockets come and go.
  const seat = settings.network === 'filtered' ? await place.joinNetwork() : undefined;
  const mounts = await mountsFor(place, settings);
  const wrapped = ['bwrap', ...(filter ? ['--seccomp', '9'] : []), ...bubblewrapArguments(mounts, place.folder), bare.program, ...bare.args];
  const [program = '', ...args] = [...(filter ? withDescriptorNine(filter) : []), ...(seat?.enter ?? []), ...wrapped];
  return { program, args, ...(seat && { seat }) };
}

/** Where builds put what they fetch: without them most would fail. */
function caches(): string[] {
  return [process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), join(homedir(), '.npm')];
}

/** Doors to programs that act outside of the sandbox for whoever asks. */
function doors(): string[] {
  const runtime = process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.() ?? 0}`;
  const own = ['bus', 'systemd', 'docker.sock', 'podman'].map((name) => join(runtime, name));
  const bus = /\bunix:path=([^,;]+)/.exec(process.env['DBUS_SESSION_BUS_ADDRESS'] ?? '')?.[1];
  if (bus !== undefined) own.push(bus.replace(/%([\da-f]{2})/gi, (_, byte: string) => String.fromCharCode(Number.parseInt(byte, 16))));
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

async function mountsFor({ workspaces, forbidden }: SandboxPlace, settings: Omit<SandboxSettings, 'mode'>): Promise<Mounts> {
  const writable = await placesOf([...workspaces, '/tmp', tmpdir(), ...caches(), ...(settings.writable ?? [])]);
  const network = settings.network ?? true;
  const sockets = network === true ? [] : await machineSockets();
  const hidden = await placesOf([...doors(), ...browserProfiles(), ...sockets, ...(settings.hidden ?? []), forbidden]);
  return {
    writable: writable.map((place) => place.path),
    hiddenFolders: hidden.filter((place) => place.isFolder).map((place) => place.path),
    hiddenFiles: hidden.filter((place) => !place.isFolder).map((place) => place.path),
    hasNetwork: network !== false,
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
