import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { GatewayHandle } from '@tendon/gateway';
import type { RelayHandle } from '@tendon/gateway/relay';
import { type Config, createLog, type Log, StartError } from '@tendon/server/settings';
import { requireUrl } from '../control-client.ts';
import { GATEWAY_NODE_FLAGS } from '../gateway-child.ts';
import { type ChildMessage, parentMessageSchema } from '../gateway-messages.ts';
import { RunningParts } from '../lifecycle.ts';
import { addLoginItem, removeLoginItem } from '../login-item.ts';
import { forgetKeys, type MachineKeys, type MachinePlace, machineKeys } from '../machine-keys.ts';
import { note } from '../output.ts';
import { ReadyFile } from '../ready-file.ts';
import { requireFolder, requireSettings, type SettingFlags } from '../settings.ts';
import { VERSION } from '../version.ts';
import { ensureWebBuilt, WEB_ROOT } from '../web-build.ts';

export interface GatewayFlags extends Omit<SettingFlags, 'workspace'> {
  readonly server: string;
  readonly workspace?: readonly string[];
  readonly name?: string;
  readonly readyFile?: string;
  readonly relay?: boolean;
  /** Left out, what there is stays as it is. */
  readonly atLogin?: boolean;
}

const PREDECESSOR_MS = 30_000;
/** What a login's own environment lacks of the one that this was started in: with its PATH, MCP servers and commands are found. None of it is secret. */
const KEPT_AT_LOGIN = ['PATH', 'TENDON_RELAY_PORT', 'TENDON_LOG_LEVEL'] as const;
/** The same, for what names a file: a login begins in another folder. */
const PATHS_KEPT_AT_LOGIN = ['TENDON_BROWSER_PATH', 'NODE_EXTRA_CA_CERTS'] as const;

/** A machine that is connected, with a relay that listens. */
export interface ConnectedMachine {
  readonly relay: RelayHandle;
  readonly handle: GatewayHandle;
  readonly serverUrl: string;
  readonly running: RunningParts;
  readonly config: Config;
}

/**
 * `tendon gateway`: this machine's hands for a server elsewhere, until a signal ends it. Started by `tendon start` it has an IPC channel:
 * it gets its key there, says when it is online, and ends when the channel closes, which happens however its parent dies. `show`: what is done
 * with a relay; left out, its link is printed.
 */
export async function gateway(flags: GatewayFlags, show?: (machine: ConnectedMachine) => void): Promise<void> {
  const { workspace: given, relay: hasRelay, ...settingFlags } = flags;
  const config = await requireSettings(settingFlags);
  const workspaces = given?.length ? given : [config.workspace];
  for (const folder of workspaces) requireFolder('TENDON_WORKSPACE', folder);
  const serverUrl = requireUrl(flags.server);
  const isChild = process.send !== undefined;
  const running = new RunningParts(undefined, { ignoreInterrupt: isChild });
  if (isChild) process.once('disconnect', () => running.exit(0));
  await running.orUndo(async () => {
    const readyFile = new ReadyFile(flags.readyFile);
    await readyFile.prepare();
    running.add(() => readyFile.remove());
    const { readGatewayId, startGateway } = await import('@tendon/gateway');
    const gatewayId = await readGatewayId(config.home, flags.name);
    const place: MachinePlace = { home: config.home, serverUrl, gatewayId, name: flags.name ?? hostname(), relay: hasRelay === true };
    const keys: MachineKeys = isChild ? { key: await askParent(gatewayId), relayKey: undefined, isPaired: false } : await machineKeys(config, place);
    const log = createLog({ level: config.logLevel, pretty: process.stderr.isTTY });
    const handle = await startGateway({
      serverUrl,
      token: keys.key,
      home: config.home,
      workspaces: [...workspaces],
      log,
      version: VERSION,
      // The gateway of a `tendon start` that was killed needs a moment to end what it runs.
      waitForOwnerMs: isChild ? PREDECESSOR_MS : 0,
      ...(flags.name === undefined ? {} : { name: flags.name }),
    });
    running.add(() => handle.close());
    if (!isChild) sayUnreachable(handle, serverUrl);
    await requireOnline(handle, () => forgetKeys(keys, place), keys.isPaired);
    // Ended by a signal before the server was there.
    if (running.isStopping) return;
    tellParent({ type: 'online', gatewayId: handle.gatewayId });
    if (!isChild) note(`This machine is connected to ${serverUrl}; the agent may work in ${workspaces.join(', ')}`);
    if (flags.atLogin !== undefined) await setAtLogin(show ? 'desktop' : 'gateway', { ...flags, workspaces, home: config.home });
    const relay = keys.relayKey === undefined ? undefined : await openRelay({ config, place, keys, handle, log }, keys.relayKey);
    if (relay) {
      running.add(() => relay.close());
      handle.keepShut(relay.port);
    }
    await readyFile.write({
      ...{ url: serverUrl, pid: process.pid, port: Number(new URL(serverUrl).port || (serverUrl.startsWith('https:') ? 443 : 80)) },
      ...(relay ? { relayUrl: relay.url } : {}),
    });
    if (relay && show) show({ relay, handle, serverUrl, running, config });
    else if (relay) sayLink(relay.signInLink());
    running.endWith(
      refused(handle, () => forgetKeys(keys, place)),
      'The server no longer accepts this machine: its key was revoked, or its version does not fit.',
    );
  });
}

/** What starts then has nobody at a terminal, who could give a key or look at a code. */
async function setAtLogin(
  command: 'gateway' | 'desktop',
  flags: GatewayFlags & { readonly workspaces: readonly string[]; readonly home: string },
): Promise<void> {
  const name = flags.name ?? hostname();
  if (!flags.atLogin) return note(`This machine does not start at login any more (${await removeLoginItem(name)} is removed).`);
  if (process.env['TENDON_API_KEY'] !== undefined)
    throw new StartError('a start at login has no TENDON_API_KEY: start once without it, so that the machine is paired and keeps its key, with --at-login');
  const nodeFlags = new Set([...process.execArgv, ...GATEWAY_NODE_FLAGS]);
  const words = [
    ...['/usr/bin/env', ...keptAtLogin(process.env)],
    ...[process.execPath, ...nodeFlags, join(import.meta.dirname, '..', 'main.js'), command, '--server', flags.server, '--home', resolve(flags.home)],
    ...flags.workspaces.flatMap((folder) => ['--workspace', resolve(folder)]),
    ...(flags.name === undefined ? [] : ['--name', flags.name]),
    ...(command === 'gateway' && flags.relay ? ['--relay'] : []),
  ];
  note(`This machine starts like this whenever you log in (${await addLoginItem({ name, command: words })}). --no-at-login ends that.`);
}

function keptAtLogin(env: NodeJS.ProcessEnv): string[] {
  const kept = (name: string, value: string | undefined): string[] => (value ? [`${name}=${value}`] : []);
  return [...KEPT_AT_LOGIN.flatMap((name) => kept(name, env[name])), ...PATHS_KEPT_AT_LOGIN.flatMap((name) => kept(name, env[name] && resolve(env[name])))];
}

export function sayLink(link: string): void {
  note(`\nThe page for a browser on this machine: ${link}\n(the link works once, for 15 minutes)\n`);
}

interface RelayParts {
  readonly config: Config;
  readonly place: MachinePlace;
  readonly keys: MachineKeys;
  readonly handle: GatewayHandle;
  readonly log: Log;
}

/** The page of this machine, with what was approved there known to the gateway. */
async function openRelay({ config, place, keys, handle, log }: RelayParts, key: string): Promise<RelayHandle> {
  await ensureWebBuilt();
  const [{ startRelay }, { loopbackFront }] = await Promise.all([import('@tendon/gateway/relay'), import('@tendon/server/page')]);
  return startRelay({
    ...{ serverUrl: place.serverUrl, key, port: config.relayPort, front: loopbackFront(WEB_ROOT), approvals: handle.approvals, log, version: VERSION },
    onLink: sayLink,
    onKeyRefused: () => {
      note("The server no longer accepts this machine's page. Start this again to pair it anew.");
      forgetKeys(keys, place).catch((error: Error) => note(`The pairing could not be removed from this disk: ${error.message}`));
    },
  });
}

async function requireOnline(handle: GatewayHandle, forget: () => Promise<void>, isPaired: boolean): Promise<void> {
  const state = await handle.ready();
  if (state.kind !== 'failed') return;
  const hasEnded = isPaired && state.reason.code === 'unauthorized';
  if (hasEnded) await forget();
  const next = hasEnded ? ' Its pairing has ended: start it again to pair it anew.' : '';
  throw new StartError(`the server refused this machine (${state.reason.code}): ${state.reason.message}${next}`);
}

/** Once, and only while it never was there: later the log tells of it. */
function sayUnreachable(handle: GatewayHandle, serverUrl: string): void {
  const stop = handle.subscribe((state) => {
    if (state.kind === 'connecting') return;
    stop();
    if (state.kind !== 'waiting') return;
    note(`There is no connection to ${new URL(serverUrl).origin}: ${state.cause}. This machine goes on trying; Ctrl+C ends it.`);
  });
}

/** Settles when the server refuses this machine for good. A pairing that has ended is forgotten. */
function refused(handle: GatewayHandle, forget: () => Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const stop = handle.subscribe((state) => {
      if (state.kind !== 'failed') return;
      stop();
      const forgotten = state.reason.code === 'unauthorized' ? forget().catch(() => undefined) : Promise.resolve();
      void forgotten.then(resolve);
    });
  });
}

function tellParent(message: ChildMessage): void {
  process.send?.(message);
}

/** Our key, from the process that started us. Waits for as long as the channel is open. */
function askParent(gatewayId: string): Promise<string> {
  return new Promise((resolve) => {
    process.on('message', (message) => {
      const parsed = parentMessageSchema.safeParse(message);
      if (parsed.success) resolve(parsed.data.key);
    });
    tellParent({ type: 'identify', gatewayId });
  });
}
