import { hostname } from 'node:os';
import type { GatewayHandle } from '@tendon/gateway';
import { type Config, createLog, StartError } from '@tendon/server/settings';
import { requireUrl } from '../control-client.ts';
import { type ChildMessage, parentMessageSchema } from '../gateway-messages.ts';
import { RunningParts } from '../lifecycle.ts';
import { note } from '../output.ts';
import { forgetPairing, pair, pairedKey } from '../pairing.ts';
import { ReadyFile } from '../ready-file.ts';
import { requireFolder, requireSettings, type SettingFlags } from '../settings.ts';
import { VERSION } from '../version.ts';

export interface GatewayFlags extends Omit<SettingFlags, 'workspace'> {
  readonly server: string;
  readonly workspace?: readonly string[];
  readonly name?: string;
  readonly readyFile?: string;
}

/**
 * `tendon gateway`: this machine's hands for a server elsewhere, until a signal ends it. Started by `tendon start` it has an IPC channel:
 * it gets its key there, says when it is online, and ends when the channel closes, which happens however its parent dies.
 */
export async function gateway(flags: GatewayFlags): Promise<void> {
  const { workspace: given, ...settingFlags } = flags;
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
    const place = { home: config.home, serverUrl, gatewayId, name: flags.name ?? hostname() };
    const { token, isPaired } = isChild ? { token: await askParent(gatewayId), isPaired: false } : await ownKey(config, place);
    const log = createLog({ level: config.logLevel, pretty: process.stderr.isTTY });
    const handle = await startGateway({
      serverUrl,
      token,
      home: config.home,
      workspaces: [...workspaces],
      log,
      version: VERSION,
      ...(flags.name === undefined ? {} : { name: flags.name }),
    });
    running.add(() => handle.close());
    await requireOnline(handle, isPaired ? place : undefined);
    tellParent({ type: 'online', gatewayId: handle.gatewayId });
    if (!isChild) note(`This machine is connected to ${serverUrl}; the agent may work in ${workspaces.join(', ')}`);
    await readyFile.write({ url: serverUrl, pid: process.pid, port: Number(new URL(serverUrl).port || (serverUrl.startsWith('https:') ? 443 : 80)) });
    running.endWith(
      refused(handle, isPaired ? place : undefined),
      'The server no longer accepts this machine: its key was revoked, or its version does not fit.',
    );
  });
}

type Place = Parameters<typeof pair>[0];

/** The key that was given, that of an earlier pairing, or of one that is made now. */
async function ownKey(config: Config, place: Place): Promise<{ token: string; isPaired: boolean }> {
  if (config.apiKey !== undefined) return { token: config.apiKey, isPaired: false };
  return { token: (await pairedKey(place)) ?? (await pair(place, note)), isPaired: true };
}

/** `paired`: where the key came from a pairing. */
async function requireOnline(handle: GatewayHandle, paired: Place | undefined): Promise<void> {
  const state = await handle.ready();
  if (state.kind !== 'failed') return;
  const hasEnded = paired !== undefined && state.reason.code === 'unauthorized';
  if (hasEnded) await forgetPairing(paired);
  const next = hasEnded ? ' Its pairing has ended: start it again to pair it anew.' : '';
  throw new StartError(`the server refused this machine (${state.reason.code}): ${state.reason.message}${next}`);
}

/** Settles when the server refuses this machine for good. A pairing that has ended is forgotten. */
function refused(handle: GatewayHandle, paired: Place | undefined): Promise<void> {
  return new Promise((resolve) => {
    const stop = handle.subscribe((state) => {
      if (state.kind !== 'failed') return;
      stop();
      const forgotten = paired !== undefined && state.reason.code === 'unauthorized' ? forgetPairing(paired).catch(() => undefined) : Promise.resolve();
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
